/* The interface `supervision`, by its imports. */
#include "internal.h"

#ifdef __wasm__
#include <string.h>

#include "abi.h"

#define SUPERVISION(name) ABI_IMPORT("baton:actor/supervision@0.1.0", name)

/* A name by itself: link, join, terminate-child, … */
#define BY_NAME(name, function) SUPERVISION(name) void function(const char *at, size_t len, abi_result *result)

BY_NAME("terminate-child", import_terminate_child);
BY_NAME("restart-child", import_restart_child);
BY_NAME("delete-child", import_delete_child);
BY_NAME("link", import_link);
BY_NAME("unlink", import_unlink);
BY_NAME("join", import_join);
BY_NAME("leave", import_leave);

SUPERVISION("start-child")
void import_start_child(int32_t some, const char *supervisor, size_t supervisor_len, const char *name, size_t name_len,
                        const char *plugin, size_t plugin_len, const uint8_t *args, size_t args_len, int32_t restart,
                        int32_t shutdown, uint64_t shutdown_ms, int32_t significant, abi_result *result);

/* record child-info */
typedef struct abi_child_info {
    abi_slice name;
    abi_option_text supervisor;
    abi_variant kind;
    abi_variant state;
    uint8_t restart;
    struct {
        uint8_t which;
        uint64_t ms;
    } shutdown;
    uint8_t significant;
    uint64_t restarts;
    abi_option_text last_exit;
} abi_child_info;

_Static_assert(offsetof(abi_child_info, kind) == 20 && offsetof(abi_child_info, state) == 32
                   && offsetof(abi_child_info, restart) == 44 && offsetof(abi_child_info, shutdown) == 48
                   && offsetof(abi_child_info, significant) == 64 && offsetof(abi_child_info, restarts) == 72
                   && offsetof(abi_child_info, last_exit) == 80 && sizeof(abi_child_info) == 96,
               "child-info");

SUPERVISION("which-children")
void import_which_children(int32_t some, const char *at, size_t len, abi_result_list *result);

/* result<counts, supervision-error>: the counts' alignment is that of the whole. */
typedef struct abi_counted {
    uint8_t error;
    union {
        struct {
            uint64_t specs, active, supervisors, workers;
        } counts;
        abi_variant why;
    } is;
} abi_counted;

_Static_assert(offsetof(abi_counted, is) == 8 && sizeof(abi_counted) == 40, "result<counts, supervision-error>");

SUPERVISION("count-children") void import_count_children(int32_t some, const char *at, size_t len, abi_counted *result);

typedef struct abi_option_phase {
    uint8_t some;
    abi_variant phase;
} abi_option_phase;

SUPERVISION("whereis") void import_whereis(const char *at, size_t len, abi_option_phase *phase);
SUPERVISION("members") void import_members(const char *at, size_t len, abi_result_list *result);
SUPERVISION("attribute")
void import_attribute(const char *actor, size_t actor_len, const char *key, size_t key_len, abi_option_text *value);
SUPERVISION("having")
void import_having(const char *key, size_t key_len, const char *value, size_t value_len, abi_result_list *result);
SUPERVISION("exit")
void import_exit(const char *actor, size_t actor_len, const char *reason, size_t reason_len, abi_result *result);
SUPERVISION("dispatch")
void import_dispatch(const char *group, size_t group_len, const uint8_t *body, size_t len, abi_result *result);
SUPERVISION("set-attribute")
void import_set_attribute(const char *key, size_t key_len, int32_t some, const char *value, size_t value_len,
                          abi_result *result);

/* A supervision-error as the turn's failure; its cases are in the order of `baton_problem`. */
static bool not_done(baton_cx *cx, const abi_variant *why) {
    baton_problem problem = (baton_problem)(BATON_SUPERVISION_DENIED + why->which);
    bool has_text = problem == BATON_SUPERVISION_BAD_SPEC || problem == BATON_SUPERVISION_FAILED
                    || problem == BATON_SUPERVISION_LIMIT || problem == BATON_SUPERVISION_OTHER;
    return baton_note(cx, problem, has_text ? abi_string(why->text) : NULL, NULL);
}

static size_t length(const char *string) { return string ? strlen(string) : 0; }

bool baton_start_child(baton_cx *cx, const char *supervisor, const baton_child *child) {
    static const int32_t shutdowns[] = {
        [BATON_SHUTDOWN_AFTER] = 1,
        [BATON_BRUTAL_KILL] = 0,
        [BATON_INFINITY] = 2,
    };
    abi_result result;
    uint64_t shutdown_ms = child->shutdown_ms > 0 ? child->shutdown_ms : 5000;
    import_start_child(supervisor != NULL, supervisor, length(supervisor), child->name, length(child->name),
                       child->plugin, length(child->plugin), child->args.at, child->args.len, (int32_t)child->restart,
                       shutdowns[child->shutdown], child->shutdown == BATON_SHUTDOWN_AFTER ? shutdown_ms : 0,
                       child->significant, &result);
    return !result.error || not_done(cx, &result.why);
}

bool baton_terminate_child(baton_cx *cx, const char *child) {
    abi_result result;
    import_terminate_child(child, strlen(child), &result);
    return !result.error || not_done(cx, &result.why);
}

bool baton_restart_child(baton_cx *cx, const char *child) {
    abi_result result;
    import_restart_child(child, strlen(child), &result);
    return !result.error || not_done(cx, &result.why);
}

bool baton_delete_child(baton_cx *cx, const char *child) {
    abi_result result;
    import_delete_child(child, strlen(child), &result);
    return !result.error || not_done(cx, &result.why);
}

/* The name of a variant's case, or the word that came with a case that has none. */
static const char *case_name(const char *const *names, uint8_t count, const abi_variant *variant) {
    return variant->which < count ? names[variant->which] : abi_string(variant->text);
}

static baton_child_info child_info(const abi_child_info *from) {
    static const char *const kinds[] = {"worker", "supervisor"};
    static const char *const states[] = {"down", "starting", "up", "restarting", "stopping", "failed"};
    static const baton_shutdown shutdowns[] = {BATON_BRUTAL_KILL, BATON_SHUTDOWN_AFTER, BATON_INFINITY};
    return (baton_child_info){
        .name = abi_string(from->name),
        .supervisor = from->supervisor.some ? abi_string(from->supervisor.text) : NULL,
        .kind = (baton_child_kind)from->kind.which,
        .state = (baton_child_state)from->state.which,
        .kind_name = case_name(kinds, 2, &from->kind),
        .state_name = case_name(states, 6, &from->state),
        .restart = (baton_restart)from->restart,
        .shutdown = shutdowns[from->shutdown.which],
        .shutdown_ms = from->shutdown.which == 1 ? from->shutdown.ms : 0,
        .significant = from->significant,
        .restarts = from->restarts,
        .last_exit = from->last_exit.some ? abi_string(from->last_exit.text) : NULL,
    };
}

bool baton_which_children(baton_cx *cx, const char *supervisor, baton_children *children) {
    abi_result_list result;
    import_which_children(supervisor != NULL, supervisor, length(supervisor), &result);
    if (result.error) return not_done(cx, &result.is.why);
    const abi_child_info *from = (const abi_child_info *)(const void *)result.is.list.at;
    size_t count = result.is.list.len;
    baton_child_info *infos = baton_alloc(cx, count * sizeof *infos);
    for (size_t i = 0; i < count; i++) infos[i] = child_info(&from[i]);
    *children = (baton_children){infos, count};
    return true;
}

bool baton_count_children(baton_cx *cx, const char *supervisor, baton_counts *counts) {
    abi_counted result;
    import_count_children(supervisor != NULL, supervisor, length(supervisor), &result);
    if (result.error) return not_done(cx, &result.is.why);
    *counts = (baton_counts){result.is.counts.specs, result.is.counts.active, result.is.counts.supervisors,
                             result.is.counts.workers};
    return true;
}

baton_phase baton_whereis(baton_cx *cx, const char *actor) {
    abi_option_phase phase;
    (void)cx;
    import_whereis(actor, strlen(actor), &phase);
    return phase.some ? (baton_phase)(BATON_STARTING + phase.phase.which) : BATON_NOBODY;
}

static bool names(baton_cx *cx, const abi_result_list *result, baton_names *names) {
    if (result->error) return not_done(cx, &result->is.why);
    const abi_slice *from = (const abi_slice *)(const void *)result->is.list.at;
    size_t count = result->is.list.len;
    const char **at = baton_alloc(cx, count * sizeof *at);
    for (size_t i = 0; i < count; i++) at[i] = abi_string(from[i]);
    *names = (baton_names){at, count};
    return true;
}

bool baton_members(baton_cx *cx, const char *group, baton_names *members) {
    abi_result_list result;
    import_members(group, strlen(group), &result);
    return names(cx, &result, members);
}

const char *baton_attribute(baton_cx *cx, const char *actor, const char *key) {
    abi_option_text value;
    (void)cx;
    import_attribute(actor, strlen(actor), key, strlen(key), &value);
    return value.some ? abi_string(value.text) : NULL;
}

bool baton_having(baton_cx *cx, const char *key, const char *value, baton_names *actors) {
    abi_result_list result;
    import_having(key, strlen(key), value, strlen(value), &result);
    return names(cx, &result, actors);
}

bool baton_link(baton_cx *cx, const char *actor) {
    abi_result result;
    import_link(actor, strlen(actor), &result);
    return abi_sent(cx, &result);
}

bool baton_unlink(baton_cx *cx, const char *actor) {
    abi_result result;
    import_unlink(actor, strlen(actor), &result);
    return abi_sent(cx, &result);
}

bool baton_exit(baton_cx *cx, const char *actor, const char *reason) {
    abi_result result;
    import_exit(actor, strlen(actor), reason, strlen(reason), &result);
    return abi_sent(cx, &result);
}

bool baton_join(baton_cx *cx, const char *group) {
    abi_result result;
    import_join(group, strlen(group), &result);
    return abi_sent(cx, &result);
}

bool baton_leave(baton_cx *cx, const char *group) {
    abi_result result;
    import_leave(group, strlen(group), &result);
    return abi_sent(cx, &result);
}

bool baton_dispatch(baton_cx *cx, const char *group, baton_bytes body) {
    abi_result result;
    import_dispatch(group, strlen(group), body.at, body.len, &result);
    return abi_sent(cx, &result);
}

bool baton_set_attribute(baton_cx *cx, const char *key, const char *value) {
    abi_result result;
    import_set_attribute(key, strlen(key), value != NULL, value, length(value), &result);
    return abi_sent(cx, &result);
}

#endif
