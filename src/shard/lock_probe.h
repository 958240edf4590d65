// Whether HDF5's file locking works in a folder. straq itself never needs it (shard/hdf5.h goes
// through memory), but h5py and h5dump do when somebody looks into a shard. For `straq doctor`, and
// to tell a shard that another program is changing from a damaged one.
#pragma once

#include <string>

namespace straq::shard {

enum class Hdf5Locking {
  works,
  off,      // HDF5_USE_FILE_LOCKING or the library's build switches it off
  broken,   // a file cannot be opened with locks, but can without
  unusable  // nor without: HDF5 cannot use the folder at all
};
struct Hdf5LockProbe {
  Hdf5Locking locking = Hdf5Locking::unusable;
  std::string detail;  // the reason, where there is one
};
// Makes a small file through the library's own file driver, opens it again for reading, and tries
// flock() beside it; leaves nothing behind.
Hdf5LockProbe probe_hdf5_locking(const std::string& folder);

// Who holds the lock that HDF5 takes on a file that it opens for writing: "process 1234 (python3)",
// or "another program" where the kernel does not tell. Empty: nobody, or it cannot be told.
std::string lock_holder(const std::string& path);

}  // namespace straq::shard
