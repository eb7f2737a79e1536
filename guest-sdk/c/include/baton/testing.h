/* Tests of a plugin without Wasm or a host: the same sources, compiled natively with the SDK's own and testing/, run
 * the actor through the code that its exports run through. The host is a recorder.
 *
 *     cc -std=c11 -g -Isdk/include test/[*].c src/[*].c sdk/src/[*].c sdk/testing/[*].c -o build/test
 *
 * A panic in the actor ends the test program. Of static variables all actors of a program share one copy, which in a
 * plugin each has for itself. */
#ifndef BATON_TESTING_H
#define BATON_TESTING_H

#include "../baton.h"

/* An actor under test. Texts that its functions give live until the same function is asked again. */
typedef struct baton_test baton_test;

/* --- Starting and ending. --- */

/* Starts an actor that has left nothing before; `args` NULL or "": none. */
baton_test *baton_test_start(const char *actor, const char *args);
/* Starts the replacement of one that left these bytes of that schema. */
baton_test *baton_test_resume(const char *actor, const char *args, uint32_t schema, const void *state, size_t len);
/* Why it does not run, such as "bad-args: …" of `init` or "corrupt: …"; NULL: it runs. */
const char *baton_test_refused(const baton_test *test);
/* Stops the actor and starts its replacement with what it left: state, timers, clock. As a swap or a restart does; what
 * was answered and set stays, too. Gives the replacement; the test goes on with that one. */
baton_test *baton_test_handover(baton_test *test);
/* Asks for `terminate`; what it leaves is in `state`, which may be NULL, where it is BATON_SAVE. */
baton_legacy baton_test_stop(baton_test *test, baton_stop_kind reason, uint64_t budget_ms, baton_bytes *state);
/* The state as it would be saved now. Checks that it reads back as the same bytes. */
baton_bytes baton_test_snapshot(baton_test *test);
/* The state itself. */
void *baton_test_self(baton_test *test);
void baton_test_end(baton_test *test);

/* For a plugin other than the one that BATON_PLUGIN made. */
baton_test *baton_test_start_plugin(const baton_plugin *plugin, const char *actor, const char *args);
baton_test *baton_test_resume_plugin(const baton_plugin *plugin, const char *actor, const char *args, uint32_t schema,
                                     const void *state, size_t len);

/* --- Messages. --- */

/* The reply, as a C string; NULL: a failure. */
const char *baton_test_call(baton_test *test, const char *body);
const char *baton_test_call_from(baton_test *test, const char *sender, const char *body);
bool baton_test_call_bytes(baton_test *test, baton_bytes body, baton_bytes *reply);
bool baton_test_cast(baton_test *test, const char *body);
bool baton_test_timer(baton_test *test, const char *name);
/* Moves the clock, and lets the timers that come due meanwhile fire in their order. False at the first failure. */
bool baton_test_advance_ms(baton_test *test, uint64_t ms);
bool baton_test_down(baton_test *test, const char *actor, const char *reason);
bool baton_test_exit(baton_test *test, const char *actor, const char *reason);
bool baton_test_other(baton_test *test, const char *kind, baton_bytes data);
/* Code and message of the last failure. */
const char *baton_test_code(const baton_test *test);
const char *baton_test_message(const baton_test *test);

/* --- What the test sees. Each gives what has come since it was asked last, a line for each. --- */

/* All that the actor has asked for, in order: `send room/1 {"say":"hi"}`, `call bank/1 "get" 5000`, `set-timer tick
 * 1000`, `save`, `stop`, `start-child w/1 worker`, … */
const char *baton_test_effects(baton_test *test);
/* `info delayed airport=BER` */
const char *baton_test_logged(baton_test *test);
/* When a timer comes due; 0: it is not set. */
uint64_t baton_test_timer_due(const baton_test *test, const char *name);

/* --- What the test sets. --- */

uint64_t baton_test_now_ms(const baton_test *test);
void baton_test_set_now_ms(baton_test *test, uint64_t now_ms);
void baton_test_set_remaining_ms(baton_test *test, uint64_t left);
/* What calls of an actor get from now on; before any: BATON_CALL_UNKNOWN_ACTOR. */
void baton_test_answer(baton_test *test, const char *actor, const char *reply);
void baton_test_answer_failure(baton_test *test, const char *actor, const char *code, const char *message);
void baton_test_answer_problem(baton_test *test, const char *actor, baton_problem problem);
/* What is sent, set, linked, … fails so from now on; BATON_NO_PROBLEM ends that. */
void baton_test_refuse_effects(baton_test *test, baton_problem problem);
/* What is asked of supervisors fails so from now on, likewise. */
void baton_test_refuse_supervision(baton_test *test, baton_problem problem);
/* Names with a space between them. */
void baton_test_set_members(baton_test *test, const char *group, const char *names);
void baton_test_set_having(baton_test *test, const char *key, const char *value, const char *names);
void baton_test_set_attribute(baton_test *test, const char *actor, const char *key, const char *value);
void baton_test_set_phase(baton_test *test, const char *actor, baton_phase phase);
/* The array must live as long as the test. */
void baton_test_set_children(baton_test *test, const baton_child_info *children, size_t count);

/* --- Checking. A check that does not hold is printed with its place, and the test goes on. --- */

/* Runs tests one after the other and says how many passed: `return baton_test_run(counts, goes_on);` ends a `main`. */
#define baton_test_run(...) baton_test_run_all((void (*const[])(void)){__VA_ARGS__, NULL}, #__VA_ARGS__)
int baton_test_run_all(void (*const tests[])(void), const char *names);

#define CHECK(condition) baton_check((condition), __FILE__, __LINE__, "%s", #condition)
#define CHECK_TEXT(is, should) baton_check_text((is), (should), __FILE__, __LINE__, #is)
#define CHECK_NUMBER(is, should) baton_check_number((is), (should), __FILE__, __LINE__, #is)
/* Of a call with this body. */
#define CHECK_REPLY(test, body, reply) baton_check_reply((test), (body), (reply), __FILE__, __LINE__)
#define CHECK_FAILURE(test, body, code) baton_check_failure((test), (body), (code), __FILE__, __LINE__)
/* That an actor does not run, and why: `begin` is what `baton_test_refused` begins with. */
#define CHECK_REFUSED(test, begin) baton_check_refused((test), (begin), __FILE__, __LINE__)

bool baton_check(bool holds, const char *file, int line, const char *format, ...) BATON_PRINTF(4, 5);
bool baton_check_text(const char *is, const char *should, const char *file, int line, const char *what);
bool baton_check_number(uint64_t is, uint64_t should, const char *file, int line, const char *what);
bool baton_check_reply(baton_test *test, const char *body, const char *reply, const char *file, int line);
bool baton_check_failure(baton_test *test, const char *body, const char *code, const char *file, int line);
bool baton_check_refused(baton_test *test, const char *begin, const char *file, int line);

/* A file's bytes, such as those of a fixture. A file that cannot be read ends the test program. */
baton_bytes baton_test_file(const char *path);
/* What `run` panics with; NULL: it does not. */
const char *baton_test_panic(void (*run)(void *), void *with);

#endif
