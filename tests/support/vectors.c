/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

const char *vectors_directory(void)
{
    const char *chosen = getenv("TWOWAY_VECTORS");

    return chosen != NULL ? chosen : TESTS_VECTORS_DEFAULT;
}

json_t *vectors_load(const char *name)
{
    char path[4096];
    json_error_t error;
    json_t *root;
    int len = snprintf(path, sizeof(path), "%s/%s", vectors_directory(), name);

    must(len > 0 && (size_t)len < sizeof(path));
    root = json_load_file(path, 0, &error);
    if (root == NULL) {
        check_failed(path, error.line, error.text);
    }
    return root;
}

static json_t *member_of(const json_t *object, const char *member)
{
    json_t *value = json_object_get(object, member);

    if (value == NULL) {
        check_failed(vectors_directory(), 0, member);
    }
    return value;
}

json_t *vector_list(const json_t *object, const char *member)
{
    json_t *list = member_of(object, member);

    must(json_is_array(list));
    return list;
}

const char *vector_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(member_of(object, member));

    must(text != NULL);
    return text;
}

bytes vector_bytes(const json_t *object, const char *member)
{
    return bytes_hex(vector_text(object, member));
}

bytes vector_bytes_or_none(const json_t *object, const char *member)
{
    return json_object_get(object, member) == NULL ? bytes_none : vector_bytes(object, member);
}

size_t vector_size(const json_t *object, const char *member)
{
    json_int_t value;
    json_t *integer = member_of(object, member);

    must(json_is_integer(integer));
    value = json_integer_value(integer);
    must(value >= 0 && value <= INT32_MAX);
    return (size_t)value;
}

uint16_t vector_id(const json_t *object, const char *member)
{
    size_t value = vector_size(object, member);

    must(value <= UINT16_MAX);
    return (uint16_t)value;
}
