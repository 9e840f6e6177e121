/* SPDX-License-Identifier: Apache-2.0 */
#include "token_side.h"

#include <string.h>

#include <p11-kit/pkcs11.h>

#include "heap.h"
#include "seam.h"
#include "vault.h"

static heap *token_heap;
static unsigned char token_stack[1 << 20];

/* For module.c. What a token lets be read of a secret is one from then on. */
__attribute__((visibility("default"))) seam_word seam_token(const char *name, void *fn,
                                                            const seam_word args[8]);

seam_word seam_token(const char *name, void *fn, const seam_word args[8])
{
    heap *before = heap_use(token_heap);
    seam_word rv = seam_elsewhere(token_stack, sizeof(token_stack), fn, args);
    const CK_ATTRIBUTE *a = (const CK_ATTRIBUTE *)args[2];

    (void)heap_use(before);
    for (CK_ULONG i = 0; strcmp(name, "C_GetAttributeValue") == 0 && i < args[3]; i++) {
        if (rv == CKR_OK && a[i].type == CKA_VALUE && a[i].pValue != NULL) {
            seam_take("DH output", a[i].pValue, a[i].ulValueLen);
        }
    }
    return rv;
}

void token_apart(void)
{
    token_heap = heap_new("the token's heap", (size_t)24 << 20);
    vault_aside("the token's stack", token_stack, sizeof(token_stack), NULL);
}
