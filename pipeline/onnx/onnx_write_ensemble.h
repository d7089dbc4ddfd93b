/* Inside of onnx_write.c: model.floats → TreeEnsemble → `output`, the two classes' probabilities. */
#pragma once

#include "pipeline/onnx/onnx_writer.h"

void onnx_write_shares(struct onnx_writer *writer, const char *output);
