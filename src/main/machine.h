/* Machine: replica's view of the shop (replica/machine.h). */
#ifndef STOA_MAIN_MACHINE_H
#define STOA_MAIN_MACHINE_H

#include "replica/machine.h"
#include "shop/shop.h"

/* SHOP is lent for as long as the machine is used. */
struct machine machine_of(struct shop *shop);

#endif
