/** The shared model library. */
package io.crossmodal.model;
