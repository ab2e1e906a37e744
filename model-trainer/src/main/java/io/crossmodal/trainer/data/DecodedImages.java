/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The pictures of a split, decoded at model size, and which could not be.
 *
 * @param images those whose picture could be decoded, in their order
 * @param pictures of these images, S x S
 * @param problems one line for each image that was left out, naming the file
 */
public record DecodedImages(
    List<CaptionedImage> images, List<RgbImage> pictures, List<String> problems) {

  public DecodedImages {
    images = List.copyOf(images);
    pictures = List.copyOf(pictures);
    problems = List.copyOf(problems);
    if (images.size() != pictures.size()) {
      throw new IllegalArgumentException(
          images.size() + " images need as many pictures, got " + pictures.size());
    }
  }

  /** A picture, or why there is none. */
  private record Attempt(Optional<RgbImage> picture, String problem) {}

  /**
   * Decodes every picture of a split, on all processors.
   *
   * <p>All are held in memory, 3 S x S bytes each (150 kB at 224 pixels): less than the tokens that
   * an evaluation keeps of them.
   *
   * @param allowedProblems so many pictures that are missing, damaged or of no known format may be
   *     left out
   * @throws InvalidDatasetException where there are more, listing them, or no picture is left
   */
  public static DecodedImages decode(
      List<CaptionedImage> split, ImagePreprocessor preprocessor, int allowedProblems) {
    List<Attempt> attempts =
        split.parallelStream().map(image -> attempt(image, preprocessor)).toList();
    List<CaptionedImage> images = new ArrayList<>();
    List<RgbImage> pictures = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    for (int i = 0; i < attempts.size(); i++) {
      Attempt attempt = attempts.get(i);
      if (attempt.picture().isPresent()) {
        images.add(split.get(i));
        pictures.add(attempt.picture().get());
      } else {
        problems.add(attempt.problem());
      }
    }
    InvalidDatasetException.check(
        "pictures cannot be read (" + allowedProblems + " more problems allowed)",
        problems,
        allowedProblems);
    if (images.isEmpty() && !split.isEmpty()) {
      throw new InvalidDatasetException("no picture can be read", problems);
    }
    return new DecodedImages(images, pictures, problems);
  }

  private static Attempt attempt(CaptionedImage image, ImagePreprocessor preprocessor) {
    try {
      return new Attempt(Optional.of(preprocessor.decode(Files.readAllBytes(image.file()))), "");
    } catch (ImageFormatException e) {
      return problem(image, e.getMessage());
    } catch (NoSuchFileException e) {
      // Its message is the bare path.
      return problem(image, "there is no such file");
    } catch (IOException e) {
      return problem(image, "cannot be read: " + e);
    }
  }

  private static Attempt problem(CaptionedImage image, String reason) {
    return new Attempt(Optional.empty(), image.file() + ": " + reason);
  }
}
