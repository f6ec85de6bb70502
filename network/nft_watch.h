/* Noticing that somebody else removes rules of ours: nftables announces every change to all who
 * listen. */
#ifndef DAVIT_NETWORK_NFT_WATCH_H
#define DAVIT_NETWORK_NFT_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* A socket, not blocking, that hears of every change of nftables in the caller's network namespace.
 */
int nft_watch_open(struct error *err);

/* Reads the announcements. True if a table of one of these names, or a chain, rule or set of such a
 * table, was removed, and also if announcements were lost, so that this is possible. Elements of
 * sets do not count. */
bool nft_watch_read(int fd, const char *const *tables, size_t count);

#endif
