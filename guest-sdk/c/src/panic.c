/* The end of an instance, told to the host's log. Nothing is allocated here: memory may be what there is none of. */
#include <assert.h>

#include "internal.h"

static void print_into(char *at, size_t room, const char *format, ...) {
    va_list args;
    va_start(args, format);
    baton_print_fixed(at, room, format, args);
    va_end(args);
}

_Noreturn static void end(const char *file, int line, const char *message) {
    char place[256];
    print_into(place, sizeof place, "%s:%d", file, line);
    baton_text fields[2] = {baton_text_of("location"), baton_text_of(place)};
    baton_host_log(BATON_ERROR, baton_text_of(message), fields, 1);
    baton_host_trap();
}

void baton_panic_at(const char *file, int line, const char *format, ...) {
    char message[1024] = "panic: ";
    va_list args;
    va_start(args, format);
    baton_print_fixed(message + 7, sizeof message - 7, format, args);
    va_end(args);
    end(file, line, message);
}

void baton_assert_failed(const char *file, int line, const char *function, const char *condition) {
    char message[512];
    print_into(message, sizeof message, "panic: %s: assertion failed: %s", function, condition);
    end(file, line, message);
}
