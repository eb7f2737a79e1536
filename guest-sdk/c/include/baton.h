/* Baton plugins in C: everything that a plugin includes. The headers below have one subject each. */
#ifndef BATON_H
#define BATON_H

#define BATON_SDK_VERSION "0.1.0"

#include "baton/text.h"        /* bytes, texts, and memory that lives as long as a turn */
#include "baton/json.h"        /* message bodies: reading and writing JSON */
#include "baton/postcard.h"    /* states: reading and writing postcard's bytes */
#include "baton/cx.h"          /* what an actor knows, and what it can ask of its host */
#include "baton/supervision.h" /* children, links, groups, attributes */
#include "baton/actor.h"       /* the actor itself, and BATON_PLUGIN */

#endif
