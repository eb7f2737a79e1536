/* Counts. Takes "get", {"add": 3} and "reset", and answers with the count; starts at its argument, or at 0. */
#include <baton.h>

struct counter {
    uint64_t count;
};

static bool init(void *self, baton_cx *cx) {
    struct counter *counter = self;
    baton_json args;
    if (!baton_args_json(cx, &args)) return false;
    if (baton_json_is_null(args) || baton_json_u64(args, &counter->count)) return true;
    return baton_bad_args(cx, "nothing, null, or a whole number");
}

static bool handle(void *self, baton_json message, baton_cx *cx) {
    struct counter *counter = self;
    baton_json arg;
    uint64_t n;
    if (baton_json_case(message, "get", NULL)) {
        /* Only the count is wanted. */
    } else if (baton_json_case(message, "add", &arg) && baton_json_u64(arg, &n)) {
        if (n > UINT64_MAX - counter->count)
            return baton_fail(cx, "overflow", "%llu + %llu is more than a counter holds (%llu)",
                              (unsigned long long)counter->count, (unsigned long long)n,
                              (unsigned long long)UINT64_MAX);
        counter->count += n;
    } else if (baton_json_case(message, "reset", NULL)) {
        counter->count = 0;
    } else {
        return baton_bad_message(cx, "\"get\", {\"add\": N} with N from 0 to 2^64-1, or \"reset\"");
    }
    return baton_reply_u64(cx, counter->count);
}

static void encode(const void *self, baton_writer *out) {
    const struct counter *counter = self;
    baton_write_u64(out, counter->count);
}

static void decode(void *self, baton_reader *in) {
    struct counter *counter = self;
    counter->count = baton_read_u64(in);
}

BATON_PLUGIN(
    .name = "counter",
    .version = "1.0.0+c",
    .description = "Counts.",
    .license = "Apache-2.0",
    .schema = 1,
    .state_size = sizeof(struct counter),
    .init = init,
    .handle = handle,
    .encode = encode,
    .decode = decode,
);
