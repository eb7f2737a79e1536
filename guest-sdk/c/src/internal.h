/* What the parts of the SDK know of each other. Nothing of it is for plugins. */
#ifndef BATON_INTERNAL_H
#define BATON_INTERNAL_H

#include "baton.h"

/* --- Memory of a turn (arena.c). --- */

typedef struct baton_block baton_block;

typedef struct baton_arena {
    baton_block *small;  /* the block that small pieces are cut from; kept from turn to turn */
    baton_block *blocks; /* all others, newest first */
    uint8_t *last;       /* the piece cut last: it alone can grow in its place */
} baton_arena;

/* NULL where there is no memory left. */
void *baton_arena_alloc(baton_arena *arena, size_t size);
void *baton_arena_grow(baton_arena *arena, void *old, size_t old_size, size_t size);
void baton_arena_reset(baton_arena *arena);
void baton_arena_free(baton_arena *arena);

/* --- The instance. --- */

typedef struct baton_failure {
    const char *code; /* NULL: none was given */
    const char *message;
} baton_failure;

typedef struct baton_refusal {
    baton_refusal_kind kind;
    const char *message; /* NULL: none was given */
} baton_refusal;

struct baton_cx {
    const baton_plugin *plugin;
    void *self;
    bool started; /* `continue` has succeeded: before that there is no state to speak of */
    char *actor;
    uint8_t *args;
    size_t args_len;
    uint64_t generation;
    bool has_predecessor;
    baton_predecessor predecessor; /* its texts are copies on the heap */

    /* The turn. */
    baton_arena arena;
    baton_failure failure;
    baton_refusal refusal;
    baton_trouble trouble;
    const char *sender;
    const char *request_id;
    bool expects_reply;
    baton_json message;
    baton_out *reply;
    bool has_raw_reply;
    baton_bytes raw_reply;
};

/* --- What the host says, in C's types (instance.c). --- */

typedef struct baton_state {
    uint32_t schema;
    baton_bytes data;
} baton_state;

typedef struct baton_handoff {
    baton_state state;
    baton_predecessor predecessor; /* its schema is the state's */
} baton_handoff;

typedef enum baton_message_kind {
    BATON_MESSAGE_CALL,
    BATON_MESSAGE_CAST,
    BATON_MESSAGE_TIMER, /* name */
    BATON_MESSAGE_DOWN,  /* name: the actor; reason */
    BATON_MESSAGE_OTHER, /* name: the kind; body */
} baton_message_kind;

typedef struct baton_message {
    baton_message_kind kind;
    const char *id;
    const char *sender;
    const char *name;
    const char *reason;
    baton_bytes body;
} baton_message;

/* Each turn begins with `baton_turn_begin` and ends with `baton_turn_end`, when nobody needs its memory any more. */
void baton_turn_begin(baton_cx *cx);
void baton_turn_end(baton_cx *cx);

/* Panics over a plugin that is not one. */
void baton_check_plugin(const baton_plugin *plugin);
void baton_reads(const baton_plugin *plugin, uint32_t *from, uint32_t *to);
/* All facts, the SDK's own among them, and how many. */
const baton_fact *baton_facts(baton_cx *cx, size_t *count);
const char *baton_media_type(const baton_plugin *plugin);

/* False: why is in `cx->failure`, for `baton_do_continue` in `cx->refusal`. */
bool baton_do_init(baton_cx *cx, const baton_plugin *plugin, const char *actor, baton_bytes args);
bool baton_do_continue(baton_cx *cx, uint64_t generation, const baton_handoff *handoff);
bool baton_do_handle(baton_cx *cx, const baton_message *message, baton_bytes *reply);
bool baton_do_snapshot(baton_cx *cx, baton_state *state);
bool baton_do_terminate(baton_cx *cx, baton_stop_reason reason, uint64_t budget_ms, baton_legacy *legacy,
                        baton_state *state);
/* Lets go of all that the instance holds. */
void baton_do_drop(baton_cx *cx);

/* --- State (state.c). --- */

bool baton_load_state(baton_cx *cx, baton_state state);
bool baton_save_state(baton_cx *cx, baton_state *state);

/* --- Errors (errors.c). --- */

/* Notes why the host said no, as the turn's failure too. `text` is the limit or the reason that came with it; `failure`
 * is that of an actor that was called. Gives false. */
bool baton_note(baton_cx *cx, baton_problem problem, const char *text, const baton_failure *failure);
/* Failure and refusal as they are to be told: with a word where a callback gave none. */
baton_failure baton_told_failure(const baton_cx *cx);
baton_refusal baton_told_refusal(const baton_cx *cx);

/* --- The host. imports.c in a plugin and testing/recorder.c in a test have these, and those functions of cx.h that
 * only pass on what they are asked; supervision.c and testing/supervisors.c have all of supervision.h. --- */

void baton_host_log(baton_level level, baton_text message, const baton_text *fields, size_t pairs);
/* At most BATON_RANDOM_BYTES at once. */
void baton_host_random(baton_cx *cx, void *into, uint32_t count);
_Noreturn void baton_host_trap(void);

#define BATON_RANDOM_BYTES 65536

/* A printf into a buffer of fixed size, cut where it is full; always ends with a NUL. */
void baton_print_fixed(char *at, size_t room, const char *format, va_list args) BATON_PRINTF(3, 0);

/* The length of the well-formed UTF-8 sequence at `at`; 0: there is none. */
size_t baton_utf8_step(const char *at, size_t left);

#endif
