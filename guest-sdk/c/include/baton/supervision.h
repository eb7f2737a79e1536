/* Children, links, groups and names, under OTP's names. A plugin that uses none of it does not import it.
 *
 * What stands before `baton_link` acts at once, and waits at most for what is left of the turn; the rest leaves when
 * the turn has ended without a panic. False: the host said no, see `baton_last_problem`. */
#ifndef BATON_SUPERVISION_H
#define BATON_SUPERVISION_H

#include "cx.h"

/* When a child that has ended is started again. */
typedef enum baton_restart {
    BATON_PERMANENT,
    BATON_TRANSIENT, /* after a crash */
    BATON_TEMPORARY,
} baton_restart;

/* How long a child may take to stop before it is killed. */
typedef enum baton_shutdown {
    BATON_SHUTDOWN_AFTER, /* `shutdown_ms` */
    BATON_BRUTAL_KILL,    /* at once, without `terminate` */
    BATON_INFINITY,
} baton_shutdown;

/* An actor to start. What is left out is as OTP has it for a worker: permanent, 5 s to stop. */
typedef struct baton_child {
    const char *name;
    const char *plugin;
    baton_bytes args;
    baton_restart restart;
    baton_shutdown shutdown;
    uint64_t shutdown_ms; /* 1 to 86,400,000; 0: 5,000 */
    bool significant;     /* its end counts for its supervisor's auto_shutdown */
} baton_child;

typedef enum baton_child_kind { BATON_WORKER, BATON_SUPERVISOR, BATON_KIND_OTHER } baton_child_kind;

typedef enum baton_child_state {
    BATON_CHILD_DOWN,
    BATON_CHILD_STARTING,
    BATON_CHILD_UP,
    BATON_CHILD_RESTARTING,
    BATON_CHILD_STOPPING,
    BATON_CHILD_FAILED,
    BATON_CHILD_OTHER,
} baton_child_state;

/* A child as its supervisor sees it. */
typedef struct baton_child_info {
    const char *name;
    const char *supervisor; /* NULL: it stands below the root */
    baton_child_kind kind;
    baton_child_state state;
    const char *kind_name;  /* "worker", "supervisor", or a word that this SDK has no number for */
    const char *state_name; /* "down", "up", …, likewise */
    baton_restart restart;
    baton_shutdown shutdown;
    uint64_t shutdown_ms;
    bool significant;
    uint64_t restarts;
    const char *last_exit; /* NULL: it has not ended yet */
} baton_child_info;

typedef struct baton_children {
    const baton_child_info *at;
    size_t count;
} baton_children;

typedef struct baton_counts {
    uint64_t specs;
    uint64_t active;
    uint64_t supervisors;
    uint64_t workers;
} baton_counts;

typedef struct baton_names {
    const char *const *at;
    size_t count;
} baton_names;

/* Where an actor stands. */
typedef enum baton_phase {
    BATON_NOBODY, /* nobody has the name */
    BATON_STARTING,
    BATON_CONTINUING,
    BATON_RUNNING,
    BATON_SUSPENDED,
    BATON_STOPPING,
    BATON_RESTARTING,
    BATON_HELD,
    BATON_FAILED,
    BATON_PHASE_OTHER,
} baton_phase;

/* `supervisor` NULL: the root. */
bool baton_start_child(baton_cx *cx, const char *supervisor, const baton_child *child);
bool baton_terminate_child(baton_cx *cx, const char *child);
bool baton_restart_child(baton_cx *cx, const char *child);
bool baton_delete_child(baton_cx *cx, const char *child);
bool baton_which_children(baton_cx *cx, const char *supervisor, baton_children *children);
bool baton_count_children(baton_cx *cx, const char *supervisor, baton_counts *counts);

baton_phase baton_whereis(baton_cx *cx, const char *actor);
const char *baton_phase_name(baton_phase phase);
/* The members of a group, in the order in which they came. */
bool baton_members(baton_cx *cx, const char *group, baton_names *members);
/* The value of an actor's attribute; NULL: none. */
const char *baton_attribute(baton_cx *cx, const char *actor, const char *key);
/* The actors whose attribute `key` is `value`, in the order of their names. */
bool baton_having(baton_cx *cx, const char *key, const char *value, baton_names *actors);

/* The end of one of the two ends the other; one that traps exits is told by `exit` instead. Links are the instance's.
 */
bool baton_link(baton_cx *cx, const char *actor);
bool baton_unlink(baton_cx *cx, const char *actor);
/* Does to an actor what the end of this one would, were they linked: `normal`, `shutdown`, `killed`, or a text. */
bool baton_exit(baton_cx *cx, const char *actor, const char *reason);
bool baton_join(baton_cx *cx, const char *group);
bool baton_leave(baton_cx *cx, const char *group);
/* Sends a body to all members of a group, this actor included if it is one. */
bool baton_dispatch(baton_cx *cx, const char *group, baton_bytes body);
/* Sets an attribute of this actor; NULL removes it. */
bool baton_set_attribute(baton_cx *cx, const char *key, const char *value);

#endif
