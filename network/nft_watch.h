/* Who else changes rules of ours: nftables tells everybody who listens what it is told to do. */
#ifndef DAVIT_NETWORK_NFT_WATCH_H
#define DAVIT_NETWORK_NFT_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* A socket, not blocking, that hears of every change of nftables in the caller's network namespace.
 */
int nft_watch_open(struct error *err);

/* Reads what has come, and says whether a table of one of these names, or a chain, rule or set of
 * it, was removed, or may have been: too much came to hear all of it. Elements of sets do not
 * count. */
bool nft_watch_read(int fd, const char *const *tables, size_t count);

#endif
