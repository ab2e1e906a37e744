/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * The pictures of a split, decoded at model size, and which could not be.
 *
 * @param <P> what a picture becomes
 * @param images those whose picture could be decoded, in their order
 * @param pictures of these images
 * @param problems one line for each image that was left out, naming the file
 */
public record DecodedImages<P>(
    List<CaptionedImage> images, List<P> pictures, List<String> problems) {

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
  private record Attempt<P>(Optional<P> picture, String problem) {}

  /**
   * Decodes every ordinary picture of a split, S x S, on all processors.
   *
   * <p>All are held in memory, 3 S x S bytes each (150 kB at 224 pixels): less than the tokens that
   * an evaluation keeps of them.
   *
   * @param allowedProblems as in the other method
   * @throws InvalidDatasetException as there
   */
  public static DecodedImages<RgbImage> decode(
      List<CaptionedImage> split, ImagePreprocessor preprocessor, int allowedProblems) {
    return decode(split, preprocessor::decode, allowedProblems);
  }

  /**
   * Decodes every picture of a split, on all processors.
   *
   * @param decoder from a file's bytes; an {@link ImageFormatException} of it is a problem
   * @param allowedProblems so many pictures that are missing, damaged or of no known format may be
   *     left out
   * @throws InvalidDatasetException where there are more, listing them, or no picture is left
   */
  public static <P> DecodedImages<P> decode(
      List<CaptionedImage> split, Function<byte[], P> decoder, int allowedProblems) {
    List<Attempt<P>> attempts =
        split.parallelStream().map(image -> attempt(image, decoder)).toList();
    List<CaptionedImage> images = new ArrayList<>();
    List<P> pictures = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    for (int i = 0; i < attempts.size(); i++) {
      Attempt<P> attempt = attempts.get(i);
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
    return new DecodedImages<>(images, pictures, problems);
  }

  private static <P> Attempt<P> attempt(CaptionedImage image, Function<byte[], P> decoder) {
    try {
      return new Attempt<>(Optional.of(decoder.apply(PictureFiles.read(image.file()))), "");
    } catch (ImageFormatException e) {
      return problem(image, e.getMessage());
    } catch (NoSuchFileException e) {
      // Its message is the bare path.
      return problem(image, "there is no such file");
    } catch (IOException e) {
      return problem(image, "cannot be read: " + e);
    }
  }

  private static <P> Attempt<P> problem(CaptionedImage image, String reason) {
    return new Attempt<>(Optional.empty(), image.file() + ": " + reason);
  }
}
