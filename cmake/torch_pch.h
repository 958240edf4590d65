// The libtorch headers that the tensor modules share, compiled once.
#pragma once
#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/generated/variable_factories.h>

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>
