// Checkpoints of llama2.c, whose small story models are the smallest real Llamas there are: good
// for tests and for a first try on a laptop. The file is a header of seven 32-bit integers and fp32
// arrays without names; queries and keys have their rotary pairs side by side, where Hugging Face
// (and this program) has them half a head apart.
#pragma once

#include <string>

#include "model/weights/weights_io.h"

namespace straq::model {

// The weights of a file in the first form of llama2.c (its "version 0"), memory-mapped. The rotary
// tables in it are skipped: they follow from the shape. What the file does not say is as llama2.c
// has it: theta 10000, norm epsilon 1e-5, bos 1, eos 2. Throws Error(input) naming the file when it
// is of a later version, or when its size is not what its header asks for.
WeightsSource open_llama2c(const std::string& path);

}  // namespace straq::model
