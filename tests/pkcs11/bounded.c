/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of which it is said, when they are made, that what is derived stays inside. */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "stand.h"

static stand s;

static void end(void)
{
    stand_end(&s);
}

TestSuite(bounded, .fini = end);

static size_t asked[2][2]; /* [for the token][with CKA_DERIVE_TEMPLATE] */

static bool says(const CK_ATTRIBUTE *a, CK_ULONG count, CK_ATTRIBUTE_TYPE type, CK_BBOOL value)
{
    for (CK_ULONG i = 0; i < count; i++) {
        if (a[i].type == type) {
            return a[i].ulValueLen == 1 && *(const CK_BBOOL *)a[i].pValue == value;
        }
    }
    return false;
}

static bool note_template(const CK_MECHANISM *m, const CK_ATTRIBUTE *a, CK_ULONG count)
{
    bool bounded = false;

    (void)m;
    for (CK_ULONG i = 0; i < count; i++) {
        if (a[i].type == CKA_DERIVE_TEMPLATE) {
            const CK_ATTRIBUTE *in = a[i].pValue;
            CK_ULONG n = a[i].ulValueLen / sizeof(*in);

            must(says(in, n, CKA_SENSITIVE, CK_TRUE) && says(in, n, CKA_EXTRACTABLE, CK_FALSE));
            bounded = true;
        }
    }
    asked[says(a, count, CKA_TOKEN, CK_TRUE)][bounded]++;
    return false;
}

static size_t objects_on_disk(void)
{
    char pattern[128];
    glob_t found = {0};
    size_t count;

    (void)snprintf(pattern, sizeof(pattern), "%s/tokens/*/*[0-9a-f].object", s.dir);
    (void)glob(pattern, 0, NULL, &found);
    count = found.gl_pathc;
    globfree(&found);
    return count;
}

/* SoftHSM refuses the template, and leaves half a key then: no such is asked for in the token. */
Test(bounded, under_never_export_dh_a_new_key_is_asked_for_with_a_derive_template)
{
    size_t before;

    stand_shim(&s);
    before = objects_on_disk();
    for (int never_export = 0; never_export < 2; never_export++) {
        const char label[] = {(char)('a' + never_export), '\0'};
        tw_token *token;

        memset(asked, 0, sizeof(asked));
        shim_says((shim_rule){SHIM_GenerateKeyPair, 1, ~0u, CKR_OK, 0, note_template});
        s.options.never_export_dh = never_export == 1;
        token = stand_open(&s);
        tw_key_free(stand_key(&s, token, TW_KEM_P256_HKDF_SHA256, label));
        must_size((size_t)never_export, asked[0][1]);
        must_size(0, asked[1][1]);
        must_size(1, asked[1][0]);
        tw_token_free(token);
        shim_clear();
        must_size(before + 2 * ((size_t)never_export + 1), objects_on_disk());
    }
}
