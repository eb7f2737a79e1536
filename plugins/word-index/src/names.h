/* Names and their numbers: documents have them, and words. */
#ifndef NAMES_H
#define NAMES_H

#include <baton.h>

#define NO_NUMBER UINT32_MAX

struct name {
    char *text; /* NULL: the number is free */
    uint32_t len;
    uint32_t hash;
};

struct names {
    struct name *at; /* by number */
    uint32_t count;  /* numbers that are or were taken: all are less */
    uint32_t room;
    uint32_t live;  /* numbers that are taken */
    uint32_t *free; /* numbers that are free again */
    uint32_t free_count;
    uint32_t *table; /* open addressing, linear probing: a number, or NO_NUMBER */
    uint32_t slots;  /* a power of two */
};

uint32_t names_find(const struct names *names, baton_text text);
/* The number of a name that is not there yet. */
uint32_t names_add(struct names *names, baton_text text);
void names_remove(struct names *names, uint32_t number);
void names_drop(struct names *names);
static inline bool names_has(const struct names *names, uint32_t number) {
    return number < names->count && names->at[number].text;
}
static inline baton_text names_text(const struct names *names, uint32_t number) {
    return (baton_text){names->at[number].text, names->at[number].len};
}

/* Memory that the state keeps. There is a limit that is met long before there is none left, so that is a panic. */
void *keep(void *old, size_t count, size_t size);

#endif
