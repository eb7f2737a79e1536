/* Supervisors, groups and names as the test says they are. */
#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

/* Notes what is asked of supervisors; false where the test has that refused. */
static bool asked(baton_cx *cx, const char *what, const char *first, const char *second, const char *third) {
    baton_test *test = (baton_test *)(void *)cx;
    lines_add(&test->effects, "%s%s%s%s%s%s%s", what, first ? " " : "", first ? first : "", second ? " " : "",
              second ? second : "", third ? " " : "", third ? third : "");
    if (test->refuse_supervision == BATON_NO_PROBLEM) return true;
    return baton_note(cx, test->refuse_supervision, "a test's", NULL);
}

static baton_test *test_of(baton_cx *cx) { return (baton_test *)(void *)cx; }

bool baton_start_child(baton_cx *cx, const char *supervisor, const baton_child *child) {
    return asked(cx, "start-child", child->name, child->plugin, supervisor);
}

bool baton_terminate_child(baton_cx *cx, const char *child) { return asked(cx, "terminate-child", child, NULL, NULL); }

bool baton_restart_child(baton_cx *cx, const char *child) { return asked(cx, "restart-child", child, NULL, NULL); }

bool baton_delete_child(baton_cx *cx, const char *child) { return asked(cx, "delete-child", child, NULL, NULL); }

bool baton_which_children(baton_cx *cx, const char *supervisor, baton_children *children) {
    if (!asked(cx, "which-children", supervisor, NULL, NULL)) return false;
    *children = (baton_children){test_of(cx)->children, test_of(cx)->children_count};
    return true;
}

bool baton_count_children(baton_cx *cx, const char *supervisor, baton_counts *counts) {
    if (!asked(cx, "count-children", supervisor, NULL, NULL)) return false;
    *counts = (baton_counts){0};
    for (size_t i = 0; i < test_of(cx)->children_count; i++) {
        const baton_child_info *child = &test_of(cx)->children[i];
        counts->specs++;
        counts->active += child->state != BATON_CHILD_DOWN && child->state != BATON_CHILD_FAILED;
        counts->supervisors += child->kind == BATON_SUPERVISOR;
        counts->workers += child->kind == BATON_WORKER;
    }
    return true;
}

baton_phase baton_whereis(baton_cx *cx, const char *actor) {
    entry *phase = entry_find(test_of(cx)->phases, actor);
    return phase ? (baton_phase)phase->number : BATON_NOBODY;
}

/* Names with spaces between them as an array. */
static bool split(baton_cx *cx, const entry *from, baton_names *names) {
    *names = (baton_names){NULL, 0};
    if (!from) return true;
    char *text = (char *)(uintptr_t)baton_copy_text(cx, from->text, strlen(from->text)).at;
    const char **at = baton_alloc(cx, (strlen(text) + 1) * sizeof *at);
    for (char *name = strtok(text, " "); name; name = strtok(NULL, " ")) at[names->count++] = name;
    names->at = at;
    return true;
}

bool baton_members(baton_cx *cx, const char *group, baton_names *members) {
    return asked(cx, "members", group, NULL, NULL) && split(cx, entry_find(test_of(cx)->members, group), members);
}

bool baton_having(baton_cx *cx, const char *key, const char *value, baton_names *actors) {
    const char *name = baton_format(cx, "%s=%s", key, value);
    return asked(cx, "having", key, value, NULL) && split(cx, entry_find(test_of(cx)->having, name), actors);
}

const char *baton_attribute(baton_cx *cx, const char *actor, const char *key) {
    entry *value = entry_find(test_of(cx)->attributes, baton_format(cx, "%s %s", actor, key));
    return value ? value->text : NULL;
}

bool baton_link(baton_cx *cx, const char *actor) { return test_effect(cx, "link %s", actor); }
bool baton_unlink(baton_cx *cx, const char *actor) { return test_effect(cx, "unlink %s", actor); }
bool baton_join(baton_cx *cx, const char *group) { return test_effect(cx, "join %s", group); }
bool baton_leave(baton_cx *cx, const char *group) { return test_effect(cx, "leave %s", group); }

bool baton_exit(baton_cx *cx, const char *actor, const char *reason) {
    return test_effect(cx, "exit %s %s", actor, reason);
}

bool baton_dispatch(baton_cx *cx, const char *group, baton_bytes body) {
    return test_effect(cx, "dispatch %s %.*s", group, (int)body.len, body.at);
}

bool baton_set_attribute(baton_cx *cx, const char *key, const char *value) {
    return value ? test_effect(cx, "set-attribute %s %s", key, value) : test_effect(cx, "set-attribute %s", key);
}

/* --- What the test sets. --- */

void baton_test_refuse_supervision(baton_test *test, baton_problem problem) { test->refuse_supervision = problem; }

void baton_test_set_members(baton_test *test, const char *group, const char *names) {
    entry_put(&test->members, group)->text = test_copy(names);
}

void baton_test_set_having(baton_test *test, const char *key, const char *value, const char *names) {
    char name[256];
    snprintf(name, sizeof name, "%s=%s", key, value);
    entry_put(&test->having, name)->text = test_copy(names);
}

void baton_test_set_attribute(baton_test *test, const char *actor, const char *key, const char *value) {
    char name[512];
    snprintf(name, sizeof name, "%s %s", actor, key);
    entry_put(&test->attributes, name)->text = test_copy(value);
}

void baton_test_set_phase(baton_test *test, const char *actor, baton_phase phase) {
    entry_put(&test->phases, actor)->number = (uint64_t)phase;
}

void baton_test_set_children(baton_test *test, const baton_child_info *children, size_t count) {
    test->children = children;
    test->children_count = count;
}

#endif
