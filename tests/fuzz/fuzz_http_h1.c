/* HTTP/1.1 server: four bytes of mood, then what the client sends. */
#include "http_drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    drive_run(HTTP_DETECT, "", 0, bytes, len);
    return 0;
}
