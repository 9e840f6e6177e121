/* SPDX-License-Identifier: Apache-2.0 */
/* The same as calls.c, for what the token library calls. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

#include "allocations.h"
#include "calls.h"

/* p11-kit. */
NEW(CK_FUNCTION_LIST *, p11_kit_module_load, (const char *p, int f), (p, f), p11_kit_module_release)
NEW(char *, p11_kit_module_get_filename, (CK_FUNCTION_LIST * m), (m), free)
NEW(P11KitUri *, p11_kit_uri_new, (void), (), p11_kit_uri_free)
CALL(int, p11_kit_uri_parse, (const char *s, P11KitUriType t, P11KitUri *u), (s, t, u),
     P11_KIT_URI_UNEXPECTED)
CALL(int, p11_kit_uri_set_attribute, (P11KitUri * u, CK_ATTRIBUTE *a), (u, a),
     P11_KIT_URI_UNEXPECTED)
MAKE(int, p11_kit_uri_format, (P11KitUri * u, P11KitUriType t, char **s), (u, t, s),
     P11_KIT_URI_UNEXPECTED)

/* The system's. */
CALL(ssize_t, getrandom, (void *b, size_t n, unsigned f), (b, n, f), -1)
CALL(ssize_t, read, (int f, void *b, size_t n), (f, b, n), -1)
CALL(int, fstat64, (int f, struct stat64 *s), (f, s), -1)
int failing_open64(const char *path, int flags, ...);
int failing_open64(const char *path, int flags, ...)
{
    return failures_now("open64", false) ? -1 : open(path, flags);
}
STAND_IN(open64)

/* The C library's allocator, which counts as the library's own. */
#define ALLOCATE(name, takes, gives)                                                               \
    void *failing_##name takes;                                                                    \
    void *failing_##name takes                                                                     \
    {                                                                                              \
        return allocations_refuse() ? NULL : name gives;                                           \
    }                                                                                              \
    STAND_IN(name)

ALLOCATE(malloc, (size_t n), (n))
ALLOCATE(calloc, (size_t n, size_t m), (n, m))
ALLOCATE(realloc, (void *p, size_t n), (p, n))
ALLOCATE(strdup, (const char *s), (s))
