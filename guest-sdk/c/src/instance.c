/* The lifecycle of one instance, the same in a plugin and in a test. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void baton_turn_begin(baton_cx *cx) {
    cx->failure = (baton_failure){NULL, NULL};
    cx->refusal = (baton_refusal){BATON_REFUSED, NULL};
    cx->trouble = (baton_trouble){BATON_NO_PROBLEM, NULL, NULL};
    cx->sender = cx->request_id = NULL;
    cx->expects_reply = false;
    cx->message = (baton_json){NULL, NULL};
    cx->reply = NULL;
    cx->has_raw_reply = false;
}

void baton_turn_end(baton_cx *cx) {
    baton_turn_begin(cx);
    baton_arena_reset(&cx->arena);
}

/* A copy that lives as long as the instance. */
static void *keep(const void *at, size_t len) {
    char *copy = malloc(len + 1);
    if (!copy) baton_panic("out of memory: %zu bytes", len);
    if (len > 0) memcpy(copy, at, len);
    copy[len] = '\0';
    return copy;
}

static char *keep_string(const char *string) { return string ? keep(string, strlen(string)) : NULL; }

bool baton_do_init(baton_cx *cx, const baton_plugin *plugin, const char *actor, baton_bytes args) {
    baton_check_plugin(plugin);
    cx->plugin = plugin;
    cx->actor = keep_string(actor);
    cx->args = keep(args.at, args.len);
    cx->args_len = args.len;
    cx->self = calloc(1, plugin->state_size > 0 ? plugin->state_size : 1);
    if (!cx->self) baton_panic("out of memory: %zu bytes", plugin->state_size);
    return plugin->init(cx->self, cx);
}

static bool not_started(baton_cx *cx) {
    return baton_fail(cx, "not-started", "the instance has not been through `init` and `continue`");
}

bool baton_do_continue(baton_cx *cx, uint64_t generation, const baton_handoff *handoff) {
    const baton_plugin *plugin = cx->plugin;
    if (!plugin || !cx->self) {
        not_started(cx);
        return false;
    }
    cx->generation = generation;
    if (!handoff) {
        if (plugin->started && !plugin->started(cx->self, cx)) return false;
    } else {
        if (!baton_load_state(cx, handoff->state)) return false;
        cx->predecessor = handoff->predecessor;
        cx->predecessor.origin_name = keep_string(handoff->predecessor.origin_name);
        cx->predecessor.stop.name = keep_string(handoff->predecessor.stop.name);
        cx->predecessor.written_by = keep_string(handoff->predecessor.written_by);
        cx->has_predecessor = true;
        if (plugin->resumed && !plugin->resumed(cx->self, &cx->predecessor, cx)) return false;
    }
    cx->started = true;
    return true;
}

static bool handle_request(baton_cx *cx, const baton_message *message, bool expects_reply, baton_bytes *reply) {
    const baton_plugin *plugin = cx->plugin;
    cx->request_id = message->id;
    cx->sender = message->sender;
    cx->expects_reply = expects_reply;
    if (plugin->handle_bytes) {
        if (!plugin->handle_bytes(cx->self, message->body, cx)) return false;
    } else {
        baton_json_error error;
        baton_text body = {(const char *)message->body.at, message->body.len};
        if (!baton_json_parse(body, &cx->message, &error))
            return baton_fail(cx, "bad-message", "%s %s does not take this message: %s at line %zu column %zu",
                              plugin->name, plugin->version, error.what, error.line, error.column);
        if (!plugin->handle(cx->self, cx->message, cx)) return false;
    }
    /* Nobody reads the reply to a cast: it isn't worth its bytes. */
    if (!expects_reply) return true;
    if (cx->has_raw_reply) {
        *reply = cx->raw_reply;
    } else if (cx->reply) {
        const char *error = baton_out_error(cx->reply);
        if (error) return baton_fail(cx, "bad-reply", "the message was handled; its reply: %s", error);
        *reply = baton_out_bytes(cx->reply);
    } else if (plugin->handle) {
        *reply = baton_bytes_of("null");
    }
    return true;
}

/* `other` of the kind `exit`, which says who has ended, and how. */
static bool handle_exit(baton_cx *cx, baton_bytes data) {
    const baton_plugin *plugin = cx->plugin;
    baton_json told;
    baton_text actor, reason;
    if (!baton_json_parse((baton_text){(const char *)data.at, data.len}, &told, NULL)
        || !baton_json_text(cx, baton_json_get(told, "actor"), &actor)
        || !baton_json_text(cx, baton_json_get(told, "reason"), &reason))
        return baton_fail(cx, "bad-exit", "the end of a linked actor was told wrongly");
    if (plugin->exit) return plugin->exit(cx->self, actor.at, reason.at, cx);
    baton_log(cx, BATON_INFO, "nothing is done about an exit", "exit", actor.at, "reason", reason.at, NULL);
    return true;
}

bool baton_do_handle(baton_cx *cx, const baton_message *message, baton_bytes *reply) {
    const baton_plugin *plugin = cx->plugin;
    *reply = baton_bytes_of("");
    if (!cx->started) return not_started(cx);
    switch (message->kind) {
    case BATON_MESSAGE_CALL: return handle_request(cx, message, true, reply);
    case BATON_MESSAGE_CAST: return handle_request(cx, message, false, reply);
    case BATON_MESSAGE_TIMER:
        if (plugin->timer) return plugin->timer(cx->self, message->name, cx);
        return baton_fail(cx, "unexpected-timer", "nothing is done with the timer \"%s\"", message->name);
    case BATON_MESSAGE_DOWN:
        if (plugin->down) return plugin->down(cx->self, message->name, message->reason, cx);
        baton_log(cx, BATON_INFO, "nothing is done about the end of an actor", "down", message->name, "reason",
                  message->reason, NULL);
        return true;
    case BATON_MESSAGE_OTHER: break;
    }
    if (strcmp(message->name, "exit") == 0) return handle_exit(cx, message->body);
    if (plugin->other) return plugin->other(cx->self, message->name, message->body, cx);
    return baton_fail(cx, "unsupported", "messages of the kind \"%s\" are not known here", message->name);
}

bool baton_do_snapshot(baton_cx *cx, baton_state *state) {
    return cx->started ? baton_save_state(cx, state) : not_started(cx);
}

bool baton_do_terminate(baton_cx *cx, baton_stop_reason reason, uint64_t budget_ms, baton_legacy *legacy,
                        baton_state *state) {
    const baton_plugin *plugin = cx->plugin;
    if (!cx->started) return not_started(cx);
    *legacy = plugin->terminate ? plugin->terminate(cx->self, reason, budget_ms, cx) : BATON_SAVE;
    switch (*legacy) {
    case BATON_SAVE: return baton_save_state(cx, state);
    case BATON_KEEP:
    case BATON_FORGET: return true;
    default: return false;
    }
}

void baton_do_drop(baton_cx *cx) {
    if (cx->self && cx->plugin->drop) cx->plugin->drop(cx->self);
    free(cx->self);
    free(cx->actor);
    free(cx->args);
    if (cx->has_predecessor) {
        free((void *)(uintptr_t)cx->predecessor.origin_name);
        free((void *)(uintptr_t)cx->predecessor.stop.name);
        free((void *)(uintptr_t)cx->predecessor.written_by);
    }
    baton_arena_free(&cx->arena);
    *cx = (baton_cx){0};
}
