/* Checks, and the line at the end that says how many held. */
#ifndef __wasm__
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static unsigned failed_checks;

bool baton_check(bool holds, const char *file, int line, const char *format, ...) {
    if (holds) return true;
    va_list args;
    failed_checks++;
    printf("  %s:%d: ", file, line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    return false;
}

bool baton_check_text(const char *is, const char *should, const char *file, int line, const char *what) {
    bool same = is == should || (is && should && strcmp(is, should) == 0);
    return baton_check(same, file, line, "%s\n    is      %s\n    and not %s", what, is ? is : "(null)",
                       should ? should : "(null)");
}

bool baton_check_number(uint64_t is, uint64_t should, const char *file, int line, const char *what) {
    return baton_check(is == should, file, line, "%s is %llu and not %llu", what, (unsigned long long)is,
                       (unsigned long long)should);
}

bool baton_check_reply(baton_test *test, const char *body, const char *reply, const char *file, int line) {
    const char *is = baton_test_call(test, body);
    if (!is)
        return baton_check(false, file, line, "%s fails, %s: %s", body, baton_test_code(test),
                           baton_test_message(test));
    return baton_check(strcmp(is, reply) == 0, file, line, "%s is answered with %s and not %s", body, is, reply);
}

bool baton_check_failure(baton_test *test, const char *body, const char *code, const char *file, int line) {
    const char *reply = baton_test_call(test, body);
    if (reply) return baton_check(false, file, line, "%s is answered with %s and does not fail", body, reply);
    return baton_check(strcmp(baton_test_code(test), code) == 0, file, line, "%s fails with %s (%s) and not %s", body,
                       baton_test_code(test), baton_test_message(test), code);
}

bool baton_check_refused(baton_test *test, const char *begin, const char *file, int line) {
    const char *why = baton_test_refused(test);
    return baton_check(why && strncmp(why, begin, strlen(begin)) == 0, file, line, "the actor %s%s and not %s",
                       why ? "does not run: " : "runs", why ? why : "", begin);
}

int baton_test_run_all(void (*const tests[])(void), const char *names) {
    unsigned passed = 0, failed = 0;
    for (size_t i = 0; tests[i]; i++) {
        size_t len = strcspn(names, ",");
        unsigned before = failed_checks;
        tests[i]();
        bool ok = failed_checks == before;
        printf("%s %.*s\n", ok ? "ok    " : "FAILED", (int)len, names);
        fflush(stdout);
        passed += ok;
        failed += !ok;
        names += len;
        names += strspn(names, ", \n");
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

baton_bytes baton_test_file(const char *path) {
    static struct {
        char path[256];
        baton_bytes bytes;
    } read[64];
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        if (strcmp(read[i].path, path) == 0) return read[i].bytes;
        if (read[i].path[0] != '\0') continue;
        FILE *file = fopen(path, "rb");
        lines content = {0};
        if (!file) break;
        for (size_t len = 1; len > 0; content.len += len) {
            content.room += 65536;
            content.at = realloc(content.at, content.room);
            if (!content.at) abort();
            len = fread(content.at + content.len, 1, content.room - content.len, file);
        }
        fclose(file);
        snprintf(read[i].path, sizeof read[i].path, "%s", path);
        return read[i].bytes = (baton_bytes){(uint8_t *)content.at, content.len};
    }
    printf("%s cannot be read\n", path);
    exit(1);
}

const char *baton_test_panic(void (*run)(void *), void *with) {
    jmp_buf here;
    const char *volatile message = NULL;
    baton_test_expects_panic = &here;
    if (setjmp(here) == 0) run(with);
    else message = baton_test_last_panic;
    baton_test_expects_panic = NULL;
    return message;
}

#endif
