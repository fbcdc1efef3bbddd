/* HTTP/2 server: four bytes of mood, then the client's frames, after its preface. */
#include "http_drive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    drive_run(HTTP_2, preface, sizeof preface - 1, bytes, len);
    return 0;
}
