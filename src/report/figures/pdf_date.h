// gnuplot's PDFs hold the second at which they were drawn, so that two reports of one folder would
// differ, and every picture in a repository with every report.
#pragma once

#include <string>

namespace straq::report {

// Replaces the date by one that never changes, of the same length: places in a PDF are counted in
// bytes. A file without such a date, or that cannot be written, stays as it is.
void forget_pdf_date(const std::string& path);

}  // namespace straq::report
