/* A host that writes down what it is asked, and answers as the test says. */
#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

baton_test *baton_test_current;
jmp_buf *baton_test_expects_panic;
char baton_test_last_panic[1024];

void *test_alloc(size_t size) {
    void *memory = calloc(1, size > 0 ? size : 1);
    if (!memory) abort();
    return memory;
}

baton_bytes test_copy_bytes(const void *at, size_t len) {
    uint8_t *copy = test_alloc(len + 1);
    if (len > 0) memcpy(copy, at, len);
    return (baton_bytes){copy, len};
}

char *test_copy(const char *string) {
    return string ? (char *)(uintptr_t)test_copy_bytes(string, strlen(string)).at : NULL;
}

static void add_line(lines *to, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    size_t len = (size_t)vsnprintf(NULL, 0, format, args);
    if (to->room - to->len < len + 2) {
        to->room = 2 * to->room + len + 2;
        to->at = realloc(to->at, to->room);
        if (!to->at) abort();
    }
    vsnprintf(to->at + to->len, len + 1, format, again);
    va_end(again);
    to->len += len;
    to->at[to->len++] = '\n';
    to->at[to->len] = '\0';
}

void lines_add(lines *to, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_line(to, format, args);
    va_end(args);
}

entry *entry_find(entry *first, const char *name) {
    while (first && strcmp(first->name, name) != 0) first = first->next;
    return first;
}

static void entry_empty(entry *one) {
    free(one->text);
    free(one->more);
    one->text = one->more = NULL;
    one->number = 0;
}

entry *entry_put(entry **first, const char *name) {
    entry *found = entry_find(*first, name);
    if (found) {
        entry_empty(found);
        return found;
    }
    while (*first) first = &(*first)->next;
    *first = test_alloc(sizeof **first);
    (*first)->name = test_copy(name);
    return *first;
}

void entry_remove(entry **first, const char *name) {
    while (*first && strcmp((*first)->name, name) != 0) first = &(*first)->next;
    entry *found = *first;
    if (!found) return;
    *first = found->next;
    entry_empty(found);
    free(found->name);
    free(found);
}

void entries_free(entry **first) {
    while (*first) entry_remove(first, (*first)->name);
}

static baton_test *test_of(baton_cx *cx) { return (baton_test *)(void *)cx; }

bool test_effect(baton_cx *cx, const char *format, ...) {
    baton_test *test = test_of(cx);
    if (test->refuse_effects != BATON_NO_PROBLEM)
        return baton_note(cx, test->refuse_effects, test->refuse_effects == BATON_SEND_LIMIT ? "a test's" : NULL, NULL);
    va_list args;
    va_start(args, format);
    add_line(&test->effects, format, args);
    va_end(args);
    return true;
}

/* --- The host. --- */

void baton_host_log(baton_level level, baton_text message, const baton_text *fields, size_t pairs) {
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error"};
    char line[4096];
    size_t len = (size_t)snprintf(line, sizeof line, "%s %.*s", levels[level], (int)message.len, message.at);
    for (size_t i = 0; i < pairs && len < sizeof line; i++)
        len += (size_t)snprintf(line + len, sizeof line - len, " %s=%s", fields[2 * i].at, fields[2 * i + 1].at);
    if (level == BATON_ERROR) {
        size_t kept = message.len < sizeof baton_test_last_panic ? message.len : sizeof baton_test_last_panic - 1;
        memcpy(baton_test_last_panic, message.at, kept);
        baton_test_last_panic[kept] = '\0';
    }
    if (baton_test_current) lines_add(&baton_test_current->logged, "%s", line);
}

void baton_host_trap(void) {
    if (baton_test_expects_panic) longjmp(*baton_test_expects_panic, 1);
    fprintf(stderr, "%s\n", baton_test_last_panic);
    abort();
}

/* The same bytes in every run, so that a test that fails fails again: a Weyl sequence, mixed. */
void baton_host_random(baton_cx *cx, void *into, uint32_t count) {
    for (uint8_t *at = into; count > 0; count--, at++) {
        uint64_t mixed = test_of(cx)->random += UINT64_C(0x9e3779b97f4a7c15);
        mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
        *at = (uint8_t)(mixed >> 56);
    }
}

uint64_t baton_now_ms(baton_cx *cx) { return test_of(cx)->now_ms; }

uint64_t baton_remaining_ms(baton_cx *cx) { return test_of(cx)->remaining_ms; }

void baton_save(baton_cx *cx) { lines_add(&test_of(cx)->effects, "save"); }

void baton_stop(baton_cx *cx) { lines_add(&test_of(cx)->effects, "stop"); }

bool baton_send(baton_cx *cx, const char *to, baton_bytes body) {
    return test_effect(cx, "send %s %.*s", to, (int)body.len, body.at);
}

bool baton_call_bytes(baton_cx *cx, const char *to, baton_bytes body, uint64_t timeout_ms, baton_bytes *reply) {
    baton_test *test = test_of(cx);
    lines_add(&test->effects, "call %s %.*s %llu", to, (int)body.len, body.at, (unsigned long long)timeout_ms);
    entry *answer = entry_find(test->answers, to);
    if (!answer) return baton_note(cx, BATON_CALL_UNKNOWN_ACTOR, NULL, NULL);
    baton_problem problem = (baton_problem)answer->number;
    if (problem == BATON_NO_PROBLEM) {
        baton_text text = baton_copy_text(cx, answer->text, strlen(answer->text));
        *reply = (baton_bytes){(const uint8_t *)text.at, text.len};
        return true;
    }
    baton_failure failure = {answer->text, answer->more};
    return baton_note(cx, problem, problem == BATON_CALL_LIMIT ? "a test's" : NULL,
                      problem == BATON_CALL_FAILED ? &failure : NULL);
}

bool baton_set_timer(baton_cx *cx, const char *name, uint64_t after_ms) {
    baton_test *test = test_of(cx);
    if (!test_effect(cx, "set-timer %s %llu", name, (unsigned long long)after_ms)) return false;
    uint64_t due = test->now_ms + after_ms;
    entry_put(&test->timers, name)->number = due < after_ms ? UINT64_MAX : due;
    return true;
}

void baton_cancel_timer(baton_cx *cx, const char *name) {
    lines_add(&test_of(cx)->effects, "cancel-timer %s", name);
    entry_remove(&test_of(cx)->timers, name);
}

bool baton_monitor(baton_cx *cx, const char *actor) { return test_effect(cx, "monitor %s", actor); }

void baton_demonitor(baton_cx *cx, const char *actor) { lines_add(&test_of(cx)->effects, "demonitor %s", actor); }

#endif
