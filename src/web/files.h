/* Files: style sheet, script and icons, the demo's pictures, and the shop's own media.
 *
 *   /assets/HASH-NAME    packed into the program; the hash is of the content, so that a
 *                        browser may keep it for ever
 *   /pictures/NAME.svg   the demo catalogue's, packed as well
 *   /media/PATH          from the media folder, with an ETag; ranges and conditions are the core's
 *
 * Paths of /media/ are decoded, judged by files_path_is_plain, and opened segment by segment
 * without following symbolic links, so that nothing outside the folder can be reached.
 * Thread: the exchange's; media on a helper thread.
 */
#ifndef STOA_WEB_FILES_H
#define STOA_WEB_FILES_H

#include "base/arena.h"
#include "engine/app.h"

#include <stdbool.h>
#include <stdint.h>

/* "/assets/0123456789ab-style.css" for pages/NAME. */
struct str files_address(struct arena *arena, const char *name);

enum app_verdict files_asset(struct exchange *x);
enum app_verdict files_picture(struct exchange *x);
enum app_verdict files_icon(struct exchange *x);
enum app_verdict files_robots(struct exchange *x);
enum app_verdict files_media(struct exchange *x);

/* Pure, for its test: whether PATH (decoded) stays below its folder: no empty, "." or ".." segment,
 * no backslash, no hidden file. */
bool files_path_is_plain(struct str path);

#endif
