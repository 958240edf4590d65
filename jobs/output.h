// Standard output as the place of a result: what could not be written there is a failure of the
// command, however well its work went.
#pragma once

namespace straq::jobs {

// At the program's start: the three standard streams are open, so that no file of the program's own
// takes the number of one that its caller closed. Writing to a closed one still fails.
void keep_standard_streams();

// At the program's end, with its exit code: flushes standard output and returns `code`, or, where
// something did not get there, 1 after saying so. A reader that has gone away (`| head`) is not
// worth a word: 141, as a shell says of a program that SIGPIPE ended.
int finish_output(int code);

}  // namespace straq::jobs
