/* See actor.h. */
#include "actor.h"

const struct actor actor_davitd = {.tenant = ""};
