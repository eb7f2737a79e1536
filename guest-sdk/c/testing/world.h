/* What the recorder knows: one world for each actor under test. */
#ifndef BATON_WORLD_H
#define BATON_WORLD_H

#include <setjmp.h>

#include "../src/internal.h"
#include "baton/testing.h"

typedef struct lines {
    char *at;
    size_t len;
    size_t room;
} lines;

/* Something that is known by name: a timer, an answer, the members of a group. */
typedef struct entry {
    struct entry *next;
    char *name;
    char *text;
    char *more;
    uint64_t number;
} entry;

struct baton_test {
    baton_cx cx; /* first: a cx is its test */
    const baton_plugin *plugin;
    char *actor;
    char *args;
    uint64_t generation;
    uint64_t requests;
    char *refused;
    char *code;
    char *message;

    uint64_t now_ms;
    uint64_t remaining_ms;
    uint64_t random;
    baton_problem refuse_effects;
    baton_problem refuse_supervision;
    entry *timers;
    entry *answers; /* number: a baton_problem; text and more: a reply, or code and message */
    entry *members;
    entry *having;
    entry *attributes;
    entry *phases;
    const baton_child_info *children;
    size_t children_count;

    lines effects;
    lines logged;
    /* What was given out last. */
    char *given_effects;
    char *given_logged;
    baton_bytes given_reply;
    baton_bytes given_snapshot;
};

/* The actor whose turn it is. */
extern baton_test *baton_test_current;
/* Where a panic leads to that is expected. */
extern jmp_buf *baton_test_expects_panic;
extern char baton_test_last_panic[1024];

void *test_alloc(size_t size);
char *test_copy(const char *string);
baton_bytes test_copy_bytes(const void *at, size_t len);

void lines_add(lines *to, const char *format, ...) BATON_PRINTF(2, 3);
/* Notes an effect; false where the test has effects refused. */
bool test_effect(baton_cx *cx, const char *format, ...) BATON_PRINTF(2, 3);

entry *entry_find(entry *first, const char *name);
/* Finds it or makes it. */
entry *entry_put(entry **first, const char *name);
void entry_remove(entry **first, const char *name);
void entries_free(entry **first);

#endif
