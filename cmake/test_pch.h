// As plain_pch.h, and GoogleTest, for the tests of modules without tensors.
#pragma once
#include <gtest/gtest.h>

#include "plain_pch.h"
