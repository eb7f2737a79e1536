/* The actor: a state, functions in a table, and what the host is told of the plugin. */
#ifndef BATON_ACTOR_H
#define BATON_ACTOR_H

#include "cx.h"
#include "postcard.h"

/* Why an instance ends. */
typedef enum baton_stop_kind {
    BATON_STOP_NORMAL,    /* it asked to stop, or was asked to, alone */
    BATON_STOP_SHUTDOWN,  /* its supervisor or the host goes down */
    BATON_STOP_UPGRADE,   /* another version takes over */
    BATON_STOP_PASSIVATE, /* it is idle; the next message wakes it */
    BATON_STOP_RELOCATE,  /* it moves to another node */
    BATON_STOP_RESTART,   /* it is restarted together with a sibling */
    BATON_STOP_OTHER,
} baton_stop_kind;

typedef struct baton_stop_reason {
    baton_stop_kind kind;
    const char *name; /* "normal", "shutdown", …, or a word that this SDK has no number for */
} baton_stop_reason;

/* How complete a state is that was taken over. */
typedef enum baton_origin_kind {
    BATON_TERMINATED, /* the predecessor ended with it */
    BATON_SWITCHED,   /* taken from the running predecessor at a swap */
    BATON_CHECKPOINT, /* saved while the predecessor ran, which then ended without a word */
    BATON_RESTORED,   /* an operator put it there */
    BATON_ORIGIN_OTHER,
} baton_origin_kind;

typedef struct baton_predecessor {
    uint32_t schema; /* layout of the state before it was migrated */
    baton_origin_kind origin;
    const char *origin_name;
    baton_stop_reason stop; /* of a terminated one */
    bool knows_handled;     /* of a checkpoint: how many messages it had handled since */
    uint64_t handled;
    uint64_t generation;    /* of the instance that wrote the state */
    const char *written_by; /* version of the plugin that wrote it */
    uint64_t age_ms;        /* since it was written; 0 if the host's clock went back */
} baton_predecessor;

/* NULL if the instance began with a fresh state. */
const baton_predecessor *baton_predecessor_of(const baton_cx *cx);

/* What `terminate` leaves. */
typedef enum baton_legacy {
    BATON_SAVE,             /* the state as it stands */
    BATON_KEEP,             /* what the store has already */
    BATON_FORGET,           /* nothing: state and history are erased */
    BATON_TERMINATE_FAILED, /* after `baton_fail`: told to the operator, the store stays as it was */
} baton_legacy;

/* A layout of the state other than the current one. Older ones come one after the other, from the oldest that is read
 * up to the one before `schema`; each turns into the next, the last into the actor. Newer ones turn into the actor
 * directly, so that there is a way back. A gap is told when the plugin is described: at `baton build`, and in a test.
 */
typedef struct baton_layout {
    uint32_t schema;
    /* sizeof the struct that states of this schema are read into. It is zeroed memory of the turn: what hangs on it
     * comes from `baton_alloc` or is read by `baton_read_text`, and nobody frees it. */
    size_t size;
    void (*decode)(void *state, baton_reader *in);
    /* False, after `baton_invalid`: an older state is refused as corrupt, a newer one as incompatible. */
    bool (*migrate)(const void *state, void *next, baton_cx *cx);
} baton_layout;

typedef struct baton_fact {
    const char *name;
    const char *value;
} baton_fact;

/* A plugin. `self` is the state, `state_size` bytes that are zero when `init` begins. Callbacks are true when all went
 * well; else they have said why by `baton_fail` (`baton_refuse` in `started` and `resumed`). Only `name`, `version`,
 * `schema`, `init` and one of the two `handle`s must be there, and `encode` and `decode` if there is a state. */
typedef struct baton_plugin {
    /* Lower-case letters, digits, - and _, beginning with a letter; at most 64 bytes. */
    const char *name;
    /* Semantic version. */
    const char *version;
    /* Of message bodies; NULL: application/json with `handle`, application/octet-stream with `handle_bytes`. */
    const char *media_type;
    const char *description, *authors, *license, *homepage, *repository;
    /* Further facts, the last one {0}. */
    const baton_fact *metadata;
    /* Set: the instance is dropped without `terminate`, its state in the store stays as it was, and the end of a linked
     * actor ends it. */
    bool no_trap_exit;

    /* Number of the state's layout, 1 at first. Raise it by one with every change of what `encode` writes. */
    uint32_t schema;
    size_t state_size;
    /* Other layouts that it reads, in order, the last one {0}. */
    const baton_layout *layouts;

    /* Makes a fresh state from `baton_args`. Has no effect on the world; the supervisor waits for it. */
    bool (*init)(void *self, baton_cx *cx);
    /* One message, as JSON. The reply by `baton_reply…`. A failure is a reply like any other: the actor lives on. */
    bool (*handle)(void *self, baton_json message, baton_cx *cx);
    /* One message as it is, where bodies are not JSON. */
    bool (*handle_bytes)(void *self, baton_bytes body, baton_cx *cx);

    /* Writes the state. */
    void (*encode)(const void *self, baton_writer *out);
    /* Reads it back, into zeroed memory. What the reader finds wrong refuses the state as corrupt. */
    void (*decode)(void *self, baton_reader *in);
    /* What must hold of every state taken over. False, after `baton_invalid`: it is refused as corrupt. */
    bool (*validate)(const void *self, baton_cx *cx);
    /* Frees what the state holds by `malloc`, before another one takes its place. */
    void (*drop)(void *self);

    /* Nothing was there to take over: the place for first timers. */
    bool (*started)(void *self, baton_cx *cx);
    /* `self` is now what the predecessor left: decoded, migrated, valid. The place for monitors and links. */
    bool (*resumed)(void *self, const baton_predecessor *predecessor, baton_cx *cx);
    /* A timer has come due. Without it: failure `unexpected-timer`. */
    bool (*timer)(void *self, const char *name, baton_cx *cx);
    /* An actor that this one monitors has ended, or was not there. Without it: logged. */
    bool (*down)(void *self, const char *actor, const char *reason, baton_cx *cx);
    /* The same of one that it is linked to, or that sent it an exit. Without it: logged. */
    bool (*exit)(void *self, const char *actor, const char *reason, baton_cx *cx);
    /* A kind of message that has no callback of its own. Without it: failure `unsupported`. */
    bool (*other)(void *self, const char *kind, baton_bytes data, baton_cx *cx);
    /* The last call; `budget_ms` is what is left for it, or BATON_NO_LIMIT. Without it: BATON_SAVE. */
    baton_legacy (*terminate)(void *self, baton_stop_reason reason, uint64_t budget_ms, baton_cx *cx);
} baton_plugin;

/* Makes the plugin, once in a program: BATON_PLUGIN(.name = "counter", .version = "1.0.0", …); */
#define BATON_PLUGIN(...) const baton_plugin baton_the_plugin = {__VA_ARGS__}
extern const baton_plugin baton_the_plugin;

/* Layouts in order, for `.layouts`: BATON_LAYOUTS({1, sizeof(cart_v1), decode_v1, v1_to_v2}, {2, …}) */
#define BATON_LAYOUTS(...) ((const baton_layout[]){__VA_ARGS__, {0, 0, NULL, NULL}})
/* Further facts, for `.metadata`: BATON_FACTS({"funding", "https://…"}) */
#define BATON_FACTS(...) ((const baton_fact[]){__VA_ARGS__, {NULL, NULL}})

#endif
