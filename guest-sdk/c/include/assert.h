/* `assert`, in place of the C library's, which writes to standard error and so brings in WASI: what does not hold goes
 * to the host's log, and the plugin traps. No guard: as the standard has it, NDEBUG may change between two inclusions.
 */
#undef assert
#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
#define assert(condition) ((condition) ? (void)0 : baton_assert_failed(__FILE__, __LINE__, __func__, #condition))
#endif

#if !defined(__cplusplus) && !defined(static_assert)
#define static_assert _Static_assert
#endif

_Noreturn void baton_assert_failed(const char *file, int line, const char *function, const char *condition);
