/* The interface `lifecycle`: the component's exports. An instance of the component is one actor. */
#include "internal.h"

#ifdef __wasm__
#include <stdlib.h>
#include <string.h>

#include "abi.h"

static baton_cx the_cx;

/* Memory for what the host passes in. It is the turn's: the turn has begun before its export is called, and ends when
 * the host has read the answer. Imports must not be called meanwhile, so there is no panic, but only a trap. Texts and
 * bytes, which have alignment 1, get a NUL after them. */
__attribute__((__export_name__("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align,
                                                                    size_t size);

void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    if (size == SIZE_MAX) __builtin_trap();
    char *at = baton_arena_alloc(&the_cx.arena, size + (align == 1));
    if (!at) __builtin_trap();
    if (old && old_size > 0) memcpy(at, old, old_size < size ? old_size : size);
    if (align == 1) at[size] = '\0';
    return at;
}

/* What adapts preview 1 of WASI keeps its memory for good, and must not get it from a turn. Only there where it is
 * used. */
__attribute__((__export_name__("cabi_realloc_adapter"))) void *cabi_realloc_adapter(void *old, size_t old_size,
                                                                                    size_t align, size_t size);

void *cabi_realloc_adapter(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size, (void)align;
    void *at = realloc(old, size);
    if (!at) __builtin_trap();
    return at;
}

static void end_turn(void) { baton_turn_end(&the_cx); }

typedef struct abi_failure {
    abi_slice code;
    abi_slice message;
} abi_failure;

static abi_slice slice(const char *string) { return (abi_slice){(const uint8_t *)string, strlen(string)}; }

static abi_failure failure(void) {
    baton_failure told = baton_told_failure(&the_cx);
    return (abi_failure){slice(told.code), slice(told.message)};
}

/* --- describe --- */

typedef struct abi_description {
    abi_slice name, version;
    uint32_t schema, reads_from, reads_to;
    abi_slice messages;
    abi_slice metadata;
} abi_description;

ABI_EXPORT("describe") abi_description *export_describe(void);
ABI_POST_RETURN("describe") void post_describe(void *result);

abi_description *export_describe(void) {
    static abi_description told;
    const baton_plugin *plugin = &baton_the_plugin;
    baton_check_plugin(plugin);
    the_cx.plugin = plugin;
    told.name = slice(plugin->name);
    told.version = slice(plugin->version);
    told.schema = plugin->schema;
    baton_reads(plugin, &told.reads_from, &told.reads_to);
    told.messages = slice(baton_media_type(plugin));
    size_t count;
    const baton_fact *facts = baton_facts(&the_cx, &count);
    abi_slice *pairs = baton_alloc(&the_cx, 2 * count * sizeof *pairs);
    for (size_t i = 0; i < count; i++) {
        pairs[2 * i] = slice(facts[i].name);
        pairs[2 * i + 1] = slice(facts[i].value);
    }
    told.metadata = (abi_slice){(const uint8_t *)pairs, count};
    return &told;
}

void post_describe(void *result) {
    (void)result;
    end_turn();
}

/* --- init --- */

typedef struct abi_started {
    uint8_t error;
    union {
        uint8_t trap_exit;
        abi_failure why;
    } is;
} abi_started;

ABI_EXPORT("init")
abi_started *export_init(const uint8_t *actor, size_t actor_len, const uint8_t *args, size_t args_len);
ABI_POST_RETURN("init") void post_init(void *result);

abi_started *export_init(const uint8_t *actor, size_t actor_len, const uint8_t *args, size_t args_len) {
    static abi_started result;
    baton_turn_begin(&the_cx);
    const char *name = abi_string((abi_slice){actor, actor_len});
    result.error = !baton_do_init(&the_cx, &baton_the_plugin, name, (baton_bytes){args, args_len});
    if (result.error) result.is.why = failure();
    else result.is.trap_exit = !baton_the_plugin.no_trap_exit;
    return &result;
}

void post_init(void *result) {
    (void)result;
    end_turn();
}

/* --- continue --- */

static const char *const stop_names[] = {"normal", "shutdown", "upgrade", "passivate", "relocate", "restart"};

static baton_stop_reason stop_reason(int32_t which, const uint8_t *other, size_t len) {
    bool known = which < BATON_STOP_OTHER;
    return (baton_stop_reason){(baton_stop_kind)which, known ? stop_names[which] : abi_string((abi_slice){other, len})};
}

ABI_EXPORT("continue")
abi_result *export_continue(uint64_t generation, int32_t some, uint32_t schema, const uint8_t *data, size_t len,
                            int32_t origin, int32_t a, uint64_t b, size_t c, uint64_t wrote, const uint8_t *version,
                            size_t version_len, uint64_t age_ms);
ABI_POST_RETURN("continue") void post_continue(void *result);

/* variant origin { terminated(stop-reason), switched, checkpoint(option<u64>), restored, other(string) }: its cases
 * share three flat values, the second of which is a u64 for one of them and an address or a length for the others. */
abi_result *export_continue(uint64_t generation, int32_t some, uint32_t schema, const uint8_t *data, size_t len,
                            int32_t origin, int32_t a, uint64_t b, size_t c, uint64_t wrote, const uint8_t *version,
                            size_t version_len, uint64_t age_ms) {
    static const char *const names[] = {"terminated", "switched", "checkpoint", "restored"};
    static abi_result result;
    baton_turn_begin(&the_cx);
    baton_handoff handoff = {
        .state = {schema, abi_bytes((abi_slice){data, len})},
        .predecessor = {.schema = schema,
                        .origin = (baton_origin_kind)origin,
                        .generation = wrote,
                        .age_ms = age_ms,
                        .written_by = abi_string((abi_slice){version, version_len})},
    };
    baton_predecessor *before = &handoff.predecessor;
    const uint8_t *other = (const uint8_t *)(uintptr_t)a;
    before->origin_name = origin < BATON_ORIGIN_OTHER ? names[origin] : abi_string((abi_slice){other, (size_t)b});
    if (origin == BATON_TERMINATED) before->stop = stop_reason(a, (const uint8_t *)(uintptr_t)b, c);
    if (origin == BATON_CHECKPOINT) before->knows_handled = a, before->handled = b;
    result.error = !baton_do_continue(&the_cx, generation, some ? &handoff : NULL);
    if (result.error) {
        baton_refusal told = baton_told_refusal(&the_cx);
        result.why = (abi_variant){(uint8_t)told.kind, slice(told.message)};
    }
    return &result;
}

void post_continue(void *result) {
    (void)result;
    end_turn();
}

/* --- handle --- */

typedef struct abi_handled {
    uint8_t error;
    union {
        abi_slice reply;
        abi_failure why;
    } is;
} abi_handled;

ABI_EXPORT("handle")
abi_handled *export_handle(int32_t kind, const uint8_t *p0, size_t p1, size_t p2, const uint8_t *p3, size_t p4,
                           const uint8_t *p5, size_t p6);
ABI_POST_RETURN("handle") void post_handle(void *result);

/* variant message: a request is its id, its sender, if there is one, and its body; a timer a text; the others two. */
abi_handled *export_handle(int32_t kind, const uint8_t *p0, size_t p1, size_t p2, const uint8_t *p3, size_t p4,
                           const uint8_t *p5, size_t p6) {
    static abi_handled result;
    baton_turn_begin(&the_cx);
    baton_message message = {.kind = (baton_message_kind)kind};
    const char *first = abi_string((abi_slice){p0, p1});
    abi_slice second = {(const uint8_t *)p2, (size_t)p3};
    switch (message.kind) {
    case BATON_MESSAGE_CALL:
    case BATON_MESSAGE_CAST:
        message.id = first;
        message.sender = p2 ? abi_string((abi_slice){p3, p4}) : NULL;
        message.body = abi_bytes((abi_slice){p5, p6});
        break;
    case BATON_MESSAGE_TIMER: message.name = first; break;
    case BATON_MESSAGE_DOWN: message.name = first, message.reason = abi_string(second); break;
    case BATON_MESSAGE_OTHER: message.name = first, message.body = abi_bytes(second); break;
    }
    baton_bytes reply;
    result.error = !baton_do_handle(&the_cx, &message, &reply);
    if (result.error) result.is.why = failure();
    else result.is.reply = (abi_slice){reply.at, reply.len};
    return &result;
}

void post_handle(void *result) {
    (void)result;
    end_turn();
}

/* --- snapshot, terminate --- */

typedef struct abi_state {
    uint32_t schema;
    abi_slice data;
} abi_state;

/* result<option<state>, failure>, result<legacy, failure>: both have a case, and perhaps a state. */
typedef struct abi_left {
    uint8_t error;
    union {
        struct {
            uint8_t which;
            abi_state state;
        } ok;
        abi_failure why;
    } is;
} abi_left;

_Static_assert(offsetof(abi_left, is) == 4 && offsetof(abi_left, is.ok.state) == 8 && sizeof(abi_left) == 20, "legacy");
_Static_assert(offsetof(abi_handled, is) == 4 && sizeof(abi_handled) == 20, "result<list<u8>, failure>");
_Static_assert(offsetof(abi_started, is) == 4 && sizeof(abi_started) == 20, "result<start, failure>");
_Static_assert(sizeof(abi_description) == 44, "description");

static abi_left left;

ABI_EXPORT("snapshot") abi_left *export_snapshot(void);
ABI_POST_RETURN("snapshot") void post_snapshot(void *result);
ABI_EXPORT("terminate")
abi_left *export_terminate(int32_t reason, const uint8_t *other, size_t len, int32_t limited, uint64_t budget_ms);
ABI_POST_RETURN("terminate") void post_terminate(void *result);

abi_left *export_snapshot(void) {
    baton_turn_begin(&the_cx);
    baton_state state;
    left.error = !baton_do_snapshot(&the_cx, &state);
    if (left.error) {
        left.is.why = failure();
    } else {
        left.is.ok.which = 1; /* some */
        left.is.ok.state = (abi_state){state.schema, {state.data.at, state.data.len}};
    }
    return &left;
}

void post_snapshot(void *result) {
    (void)result;
    end_turn();
}

abi_left *export_terminate(int32_t reason, const uint8_t *other, size_t len, int32_t limited, uint64_t budget_ms) {
    baton_turn_begin(&the_cx);
    baton_state state = {0};
    baton_legacy legacy = BATON_SAVE;
    uint64_t budget = limited ? budget_ms : BATON_NO_LIMIT;
    left.error = !baton_do_terminate(&the_cx, stop_reason(reason, other, len), budget, &legacy, &state);
    if (left.error) {
        left.is.why = failure();
    } else {
        left.is.ok.which = (uint8_t)legacy;
        left.is.ok.state = (abi_state){state.schema, {state.data.at, state.data.len}};
    }
    return &left;
}

void post_terminate(void *result) {
    (void)result;
    end_turn();
}

#endif
