/* Channels: the accepting side of net/channel.h on a simulated wire. */
#ifndef STOA_SIM_CHANNELS_H
#define STOA_SIM_CHANNELS_H

#include "net/channel.h"

/* INTERRUPT: as channel_connect's. */
void channels_accept(struct channel *channel, int number, int interrupt);

#endif
