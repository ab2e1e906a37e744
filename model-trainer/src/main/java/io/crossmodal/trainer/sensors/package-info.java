/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
/**
 * The self-supervised cross-sensor method (SS-CM-RSIR, Sumbul, Müller and Demir 2022): training on
 * pairs of tiles without labels, and its evaluation; and a new sensor's tower onto a frozen model
 * with text.
 *
 * <p>Entry classes: {@link io.crossmodal.trainer.sensors.SensorTraining} and {@link
 * io.crossmodal.trainer.sensors.SensorEvaluation}. The resource {@code cross_sensor.py} beside them
 * is the objective; decision 0014 says what of it is a reconstruction, 0023 how a sensor joins.
 * Called by the command line.
 */
package io.crossmodal.trainer.sensors;
