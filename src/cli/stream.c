/* SPDX-License-Identifier: Apache-2.0 */

/* Bodies, from an input to an output by the library's pump, which fills whole chunks
 * however short the reads are. */

#include <errno.h>
#include <sched.h>

#include "cli.h"

typedef struct stream {
    input *in;
    output *out;
    bool eager;       /* fill what is to be filled as long as nothing has to be waited for */
    int read_errnum;  /* kept, as a socket tells it once and then that all is over */
    int write_errnum; /* also of what was under way when a read failed */
} stream;

#define DEFAULT_JOBS 4
#define LARGE_CHUNK  (128UL << 10) /* from here on a job takes more memory */

tw_format format_of(const options *o)
{
    return (tw_format){
        .size = sizeof(tw_format),
        .label = o->label,
        .chunked = o->chunked,
        .max_chunk = o->max_chunk,
    };
}

static tw_err read_some(void *arg, uint8_t *buf, size_t cap, size_t *len)
{
    stream *s = arg;
    ssize_t n;

    *len = 0;
    if (s->read_errnum != 0) {
        return TW_ERR_IO;
    }
    do {
        n = input_read(s->in, buf + *len, cap - *len);
        *len += n > 0 ? (size_t)n : 0;
    } while (n > 0 && *len < cap && s->eager && input_is_ready(s->in));
    if (n < 0) {
        s->read_errnum = errno;
    }
    if (n < 0 && *len == 0) {
        return TW_ERR_IO;
    }
    progress_update();
    return TW_OK;
}

static bool would_wait(void *arg)
{
    return input_would_wait(((const stream *)arg)->in);
}

static tw_err write_all(void *arg, const uint8_t *buf, size_t len)
{
    stream *s = arg;

    s->write_errnum = output_write(s->out, buf, len);
    return s->write_errnum == 0 ? TW_OK : TW_ERR_IO;
}

/* Where nobody said how many: what can run at once, if what it takes of memory is little. A
 * short message is through before a second thread is started. */
static size_t jobs_of(const options *o)
{
    cpu_set_t processors;
    int count;

    if (o->jobs != 0) {
        return o->jobs;
    }
    if (!o->chunked || o->max_chunk > LARGE_CHUNK ||
        sched_getaffinity(0, sizeof(processors), &processors) != 0) {
        return 1;
    }
    count = CPU_COUNT(&processors);
    return count < DEFAULT_JOBS ? (size_t)count : DEFAULT_JOBS;
}

static tw_pipe pipe_of(stream *s, const options *o)
{
    s->eager = jobs_of(o) > 1;
    return (tw_pipe){
        .size = sizeof(tw_pipe),
        .read = read_some,
        .write = write_all,
        .arg = s,
        .max_whole = o->max_size,
        .jobs = jobs_of(o),
        .would_wait = would_wait,
    };
}

static int fail_io(const stream *s)
{
    return s->write_errnum != 0
               ? output_failed(s->out, s->write_errnum)
               : fail_errno(EX_IOERR, s->in->name, "to read on", s->read_errnum, "try again");
}

int stream_seal(tw_sealer *sealer, const options *o, input *in, output *out)
{
    stream s = {.in = in, .out = out};
    const tw_pipe pipe = pipe_of(&s, o);
    tw_err err;

    progress_start(o->verb->name, in);
    err = tw_sealer_pump(sealer, &pipe);
    progress_end();
    if (err == TW_ERR_IO) {
        return fail_io(&s);
    }
    return err == TW_OK ? EX_OK : fail_tw(err, ABOUT_WORK, in->name);
}

/* What a whole message looks like, too, when it is read as chunks. */
static int too_long_a_chunk(const options *o, const input *in)
{
    const int status = exit_status(TW_ERR_LIMIT, ABOUT_MESSAGE);

    if (o->max_chunk == MAX_CHUNK) {
        return fail(status, in->name,
                    "expected chunks of at most %lu bytes, which is the most there can be, came a "
                    "longer one; have it sent in shorter ones, or it is a whole message: leave out "
                    "--chunked",
                    MAX_CHUNK);
    }
    return fail(status, in->name,
                "expected chunks of at most --max-chunk bytes, came a longer one; raise "
                "--max-chunk if its sender is trusted with that much memory, or it is a whole "
                "message: leave out --chunked");
}

int stream_open(tw_opener *opener, const options *o, input *in, output *out)
{
    stream s = {.in = in, .out = out};
    const tw_pipe pipe = pipe_of(&s, o);
    tw_err err;

    progress_start(o->verb->name, in);
    err = tw_opener_pump(opener, &pipe);
    progress_end();
    if (err == TW_OK) {
        return EX_OK;
    }
    if (err == TW_ERR_IO) {
        return fail_io(&s);
    }
    if (err == TW_ERR_LIMIT && !o->chunked) {
        return fail(exit_status(err, ABOUT_MESSAGE), in->name,
                    "expected a whole message within --max-size, came a longer one; raise "
                    "--max-size, or have it sent in chunks");
    }
    if (err == TW_ERR_LIMIT) {
        return too_long_a_chunk(o, in);
    }
    if (err == TW_ERR_TRUNCATED && o->chunked) {
        return fail(exit_status(err, ABOUT_MESSAGE), in->name,
                    "expected a complete message in chunks, came one that ends early; have it sent "
                    "again, or it is a whole message: leave out --chunked");
    }
    return fail_tw(err, o->verb->bit == VERB_RECEIVE ? ABOUT_ANSWER : ABOUT_MESSAGE, in->name);
}
