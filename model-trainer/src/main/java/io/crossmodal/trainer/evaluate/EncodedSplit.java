/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.evaluate;

import io.crossmodal.model.engine.Encoding;
import io.crossmodal.model.engine.FusionModel;
import io.crossmodal.model.image.BandImage;
import io.crossmodal.model.image.ImagePreprocessor;
import io.crossmodal.model.image.PixelTensor;
import io.crossmodal.model.image.RgbImage;
import io.crossmodal.model.text.TokenizedText;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.DecodedImages;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * Encodings of images and their captions by a model's towers; each tower runs once per item.
 *
 * @param images those whose picture could be decoded
 * @param pictures their encodings
 * @param texts encodings of all their captions, image by image
 * @param problems one line for each image that was left out
 */
public record EncodedSplit(
    List<CaptionedImage> images,
    List<Encoding> pictures,
    List<Encoding> texts,
    List<String> problems) {

  private static final int BATCH = 64;

  public EncodedSplit {
    images = List.copyOf(images);
    pictures = List.copyOf(pictures);
    texts = List.copyOf(texts);
    problems = List.copyOf(problems);
  }

  /** Change of a picture before it is encoded. */
  @FunctionalInterface
  public interface Change {
    /** Nothing. */
    Change NONE = (number, picture) -> picture;

    /**
     * Returns a picture of the same extents.
     *
     * @param number of the image in its split, for changes that draw their direction
     */
    RgbImage apply(int number, RgbImage picture);
  }

  /** Encodes pictures of the model's first sensor, as the other method does. */
  public static EncodedSplit encode(
      FusionModel model,
      List<CaptionedImage> split,
      int allowedProblems,
      Change change,
      IntConsumer progress) {
    String first = model.bundle().manifest().config().sensors().get(0).name();
    return encode(model, first, split, allowedProblems, change, progress);
  }

  /**
   * Encodes images and captions.
   *
   * @param sensor that the pictures are of
   * @param change {@link Change#NONE} for a sensor of bands
   * @param allowedProblems so many images whose picture cannot be decoded may be left out
   * @param progress told how many images are done, after each batch
   * @throws io.crossmodal.trainer.data.InvalidDatasetException when there are more, listing them
   */
  public static EncodedSplit encode(
      FusionModel model,
      String sensor,
      List<CaptionedImage> split,
      int allowedProblems,
      Change change,
      IntConsumer progress) {
    ImagePreprocessor preprocessor = model.bundle().preprocessor(sensor);
    if (model.bundle().manifest().config().sensor(sensor).bands() == null) {
      try (DecodedImages<RgbImage> decoded =
          DecodedImages.decode(split, preprocessor, allowedProblems)) {
        return encode(
            model,
            sensor,
            decoded,
            i -> preprocessor.normalise(change.apply(i, decoded.pictures().get(i))),
            progress);
      }
    }
    if (change != Change.NONE) {
      throw new IllegalArgumentException(
          "changes are for ordinary pictures; sensor [" + sensor + "] has bands");
    }
    try (DecodedImages<BandImage> decoded =
        DecodedImages.decodeBands(split, preprocessor, allowedProblems)) {
      return encode(
          model, sensor, decoded, i -> preprocessor.normalise(decoded.pictures().get(i)), progress);
    }
  }

  /** Encodes ordinary pictures that are decoded already, at the side that the sensor wants. */
  public static EncodedSplit encode(FusionModel model, DecodedImages<RgbImage> decoded) {
    String first = model.bundle().manifest().config().sensors().get(0).name();
    ImagePreprocessor preprocessor = model.bundle().preprocessor(first);
    return encode(
        model, first, decoded, i -> preprocessor.normalise(decoded.pictures().get(i)), done -> {});
  }

  /**
   * Returns the same whose captions are put into the model's prompts, as the texts of queries are.
   *
   * @param model that encoded it
   * @throws IllegalArgumentException when it has no prompts
   */
  public EncodedSplit prompted(FusionModel model) {
    if (model.bundle().manifest().prompts() == null) {
      throw new IllegalArgumentException(
          "model " + model.bundle().manifest().id() + " has no prompts; import --prompt sets them");
    }
    List<Encoding> prompted = new ArrayList<>();
    for (CaptionedImage image : images) {
      for (String caption : image.captions()) {
        List<TokenizedText> tokenized =
            model.bundle().manifest().prompted(caption).stream()
                .map(model.bundle().tokenizer()::tokenize)
                .toList();
        Encoding own = texts.get(prompted.size());
        prompted.add(own.withMeanOf(model.encodeTexts(tokenized)));
      }
    }
    return new EncodedSplit(images, pictures, prompted, problems);
  }

  private static EncodedSplit encode(
      FusionModel model,
      String sensor,
      DecodedImages<?> decoded,
      IntFunction<PixelTensor> pixels,
      IntConsumer progress) {
    List<Encoding> pictures = new ArrayList<>();
    int count = decoded.pictures().size();
    for (int from = 0; from < count; from += BATCH) {
      List<PixelTensor> batch =
          IntStream.range(from, Math.min(count, from + BATCH)).mapToObj(pixels).toList();
      pictures.addAll(model.encodeImages(sensor, batch));
      progress.accept(pictures.size());
    }
    List<TokenizedText> tokenized =
        decoded.images().stream()
            .flatMap(image -> image.captions().stream())
            .map(model.bundle().tokenizer()::tokenize)
            .toList();
    List<Encoding> texts = new ArrayList<>();
    for (int from = 0; from < tokenized.size(); from += BATCH) {
      texts.addAll(
          model.encodeTexts(tokenized.subList(from, Math.min(tokenized.size(), from + BATCH))));
    }
    return new EncodedSplit(decoded.images(), pictures, texts, decoded.problems());
  }
}
