/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.data;

import io.crossmodal.model.SensorConfig;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImageFormatException;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.RgbImage;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/**
 * The pictures of a split, decoded once at model size into a temporary file, and which could not be
 * decoded.
 *
 * @param <P> what a picture becomes
 * @param images those whose picture could be decoded, in their order
 * @param pictures of these images; closed with this
 * @param problems one line for each image that was left out, naming the file
 */
public record DecodedImages<P>(
    List<CaptionedImage> images, StoredPictures<P> pictures, List<String> problems)
    implements AutoCloseable {

  public DecodedImages {
    images = List.copyOf(images);
    problems = List.copyOf(problems);
    if (images.size() != pictures.size()) {
      throw new IllegalArgumentException(
          images.size() + " images need as many pictures, got " + pictures.size());
    }
  }

  @Override
  public void close() {
    pictures.close();
  }

  /**
   * Decodes every ordinary picture of a split, S x S, on all processors.
   *
   * @param folder to make the file of decoded pictures in, 3 S x S bytes each (150 kB at 224
   *     pixels)
   * @param allowedProblems so many pictures that are missing, damaged or of no known format may be
   *     left out
   * @throws InvalidDatasetException where there are more, listing them, or no picture is left
   * @throws java.io.UncheckedIOException where the file cannot be written: the disk may be full
   */
  public static DecodedImages<RgbImage> decode(
      List<CaptionedImage> split,
      ImagePreprocessor preprocessor,
      int allowedProblems,
      Path folder) {
    return decode(split, preprocessor::decode, StoredPictures.Form.RGB, allowedProblems, folder);
  }

  /**
   * Decodes every ordinary picture of a split as a training changes it.
   *
   * @param sensor that will see the pictures; those that it looks up are kept at the side that it
   *     looks them up from, others at their own or the augmentation's {@linkplain
   *     Augmentation#sourceSide source side}, whichever is less
   * @param folder as in the other method
   * @throws InvalidDatasetException as there
   */
  public static DecodedImages<RgbImage> decodeToChange(
      List<CaptionedImage> split,
      SensorConfig sensor,
      Augmentation augmentation,
      int allowedProblems,
      Path folder) {
    if (sensor.sampledFrom() != null) {
      int side = sensor.sampledFrom();
      return decode(
          split, new ImagePreprocessor(sensor.withImageSize(side)), allowedProblems, folder);
    }
    int side = augmentation.sourceSide(sensor.imageSize());
    return decode(
        split,
        new ImagePreprocessor(sensor.withImageSize(side))::decodeNoLarger,
        StoredPictures.Form.RGB,
        allowedProblems,
        folder);
  }

  /** Does the same as the first method in the system's temporary folder. */
  public static DecodedImages<RgbImage> decode(
      List<CaptionedImage> split, ImagePreprocessor preprocessor, int allowedProblems) {
    return decode(split, preprocessor, allowedProblems, StoredPictures.TEMPORARY);
  }

  /**
   * Does the same there for pictures of bands, 4 C x S x S bytes each.
   *
   * @param preprocessor of a sensor of bands
   */
  public static DecodedImages<BandImage> decodeBands(
      List<CaptionedImage> split, ImagePreprocessor preprocessor, int allowedProblems) {
    return decode(
        split,
        preprocessor::decodeBands,
        StoredPictures.Form.BANDS,
        allowedProblems,
        StoredPictures.TEMPORARY);
  }

  /** Decodes by a decoder of a file's bytes; an {@link ImageFormatException} of it is a problem. */
  private static <P> DecodedImages<P> decode(
      List<CaptionedImage> split,
      Function<byte[], P> decoder,
      StoredPictures.Form<P> form,
      int allowedProblems,
      Path folder) {
    String[] found = new String[split.size()];
    try (StoredPictures.Writer<P> writer = StoredPictures.Writer.in(folder, form, found.length)) {
      IntStream.range(0, found.length)
          .parallel()
          .forEach(i -> found[i] = store(split.get(i), decoder, i, writer));
      List<CaptionedImage> images = new ArrayList<>();
      List<String> problems = new ArrayList<>();
      for (int i = 0; i < found.length; i++) {
        if (found[i] == null) {
          images.add(split.get(i));
        } else {
          problems.add(split.get(i).file() + ": " + found[i]);
        }
      }
      InvalidDatasetException.check(
          "pictures cannot be read (" + allowedProblems + " more problems allowed)",
          problems,
          allowedProblems);
      if (images.isEmpty() && !split.isEmpty()) {
        throw new InvalidDatasetException("no picture can be read", problems);
      }
      return new DecodedImages<>(images, writer.written(), problems);
    }
  }

  /** Stores an image's picture, or returns why there is none. */
  private static <P> String store(
      CaptionedImage image, Function<byte[], P> decoder, int number, StoredPictures.Writer<P> to) {
    P picture;
    try {
      picture = decoder.apply(PictureFiles.read(image.file()));
    } catch (ImageFormatException e) {
      return e.getMessage();
    } catch (NoSuchFileException e) {
      // Its message is the bare path.
      return "there is no such file";
    } catch (IOException e) {
      return "cannot be read: " + e;
    }
    to.put(number, picture);
    return null;
  }
}
