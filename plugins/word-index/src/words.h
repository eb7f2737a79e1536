/* The words of a text. */
#ifndef WORDS_H
#define WORDS_H

#include <baton.h>

/* Longer ones, in bytes, are cut. */
#define WORD_BYTES 64

/* The next word from `*at` on, folded, in `word`; moves `*at` behind it. 0: there is none. */
size_t next_word(const char **at, const char *end, char word[WORD_BYTES]);

#endif
