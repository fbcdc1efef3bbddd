#include "members.h"

#include "server.h"

void members_hand_over(void)
{
}

void members_change(void)
{
}
