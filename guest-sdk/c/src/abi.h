/* The canonical ABI's memory layout of what `baton:actor@0.1.0` passes by address, and conversions. By hand, from
 * wit/actor/0.1.0/actor.wit. Only for 32-bit Wasm: natively nothing of it is needed. */
#ifndef BATON_ABI_H
#define BATON_ABI_H

#ifdef __wasm__
#include "internal.h"

typedef struct abi_slice {
    const uint8_t *at;
    size_t len;
} abi_slice;

/* variant with payloads of at most a text: supervision-error, send-error, phase, … */
typedef struct abi_variant {
    uint8_t which;
    abi_slice text;
} abi_variant;

typedef struct abi_option_text {
    uint8_t some;
    abi_slice text;
} abi_option_text;

/* result<_, send-error>, result<_, supervision-error> */
typedef struct abi_result {
    uint8_t error;
    abi_variant why;
} abi_result;

/* result<list<…>, supervision-error> */
typedef struct abi_result_list {
    uint8_t error;
    union {
        abi_slice list;
        abi_variant why;
    } is;
} abi_result_list;

_Static_assert(sizeof(void *) == 4 && sizeof(abi_slice) == 8, "32-bit");
_Static_assert(offsetof(abi_variant, text) == 4 && sizeof(abi_variant) == 12, "variant");
_Static_assert(offsetof(abi_result, why) == 4 && sizeof(abi_result) == 16, "result");
_Static_assert(offsetof(abi_result_list, is) == 4 && sizeof(abi_result_list) == 16, "result of a list");

/* Texts and bytes that come from the host have a NUL after them (see cabi_realloc), but for empty ones, which have no
 * address at all. */
static inline const char *abi_string(abi_slice slice) { return slice.len > 0 ? (const char *)slice.at : ""; }

static inline baton_bytes abi_bytes(abi_slice slice) {
    return (baton_bytes){(const uint8_t *)abi_string(slice), slice.len};
}

#define ABI_IMPORT(module, name) __attribute__((__import_module__(module), __import_name__(name)))
#define ABI_EXPORT(name) __attribute__((__export_name__("baton:actor/lifecycle@0.1.0#" name)))
#define ABI_POST_RETURN(name) __attribute__((__export_name__("cabi_post_baton:actor/lifecycle@0.1.0#" name)))

/* A send-error as the turn's failure. Gives false where there is one. */
static inline bool abi_sent(baton_cx *cx, const abi_result *result) {
    if (!result->error) return true;
    baton_problem problem = result->why.which == 0 ? BATON_SEND_DENIED : BATON_SEND_LIMIT;
    return baton_note(cx, problem, problem == BATON_SEND_LIMIT ? abi_string(result->why.text) : NULL, NULL);
}

#endif
#endif
