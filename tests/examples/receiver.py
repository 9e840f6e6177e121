# SPDX-License-Identifier: Apache-2.0
"""A receiver whose key is in a token: receiver.py KEY-URI <request >answer"""
import contextlib
import os
import re
import sys

import cffi

# The headers are the binding: what is left of them without comments and macros is plain C.
ffi = cffi.FFI()
for name in ("error", "kem", "hpke", "twoway", "ohttp", "pkcs11"):
    path = f"{os.environ.get('TWOWAY_INCLUDE', '/usr/local/include')}/twoway/{name}.h"
    ffi.cdef(re.sub(r"/\*.*?\*/|^#(/\*.*?\*/|\\\n|[^\n])*|\bTW_(BEGIN|END|API|MUST)\b", "",
                    open(path, encoding="ascii").read(), flags=re.S | re.M))
c, NULL = ffi.dlopen("libtwoway-pkcs11.so.0"), ffi.NULL  # libtwoway comes with it


def check(err):
    if err != c.TW_OK:
        sys.exit(ffi.string(c.tw_strerror(err)).decode())


def final(call, bound, body, data):
    out, out_len = ffi.new("uint8_t[]", bound(body, len(data))), ffi.new("size_t *")
    check(call(body, data, len(data), out, len(out), out_len))
    return ffi.buffer(out, out_len[0])[:]


with contextlib.ExitStack() as owned:  # frees what was made, the last first
    def make(call, *args):
        outs = [ffi.new(kind) for kind in ffi.typeof(call).args[len(args):]]
        check(call(*args, *outs))
        for out in outs:
            owned.callback(getattr(c, ffi.typeof(out[0]).item.cname.split()[-1] + "_free"), out[0])
        return [out[0] for out in outs]

    uri, request = sys.argv[1].encode(), sys.stdin.buffer.read()
    head = ffi.new("uint8_t[]", c.TW_MAX_HEAD)
    token, = make(c.tw_token_open, uri, NULL)
    key, = make(c.tw_token_find_key, token, uri, NULL, 0)
    suite, = make(c.tw_suite_new, key.kem.id, c.TW_KDF_HKDF_SHA256, c.TW_AEAD_AES_128_GCM, NULL)
    receiver, = make(c.tw_receiver_new, suite, 1, key, NULL)
    at = c.tw_receiver_head_len(receiver)
    opener, exchange = make(c.tw_receiver_accept, receiver, NULL, request, min(at, len(request)))
    text = b"you said: " + final(c.tw_opener_final, c.tw_opener_bound, opener, request[at:])
    sealer, = make(c.tw_exchange_respond, exchange, NULL, head, len(head))
    sys.stdout.buffer.write(ffi.buffer(head)[:c.tw_exchange_response_head_len(exchange)])
    sys.stdout.buffer.write(final(c.tw_sealer_final, c.tw_sealer_bound, sealer, text))
