/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import io.crossmodal.trainer.data.CaptionedDataset;
import io.crossmodal.trainer.data.CaptionedImage;
import io.crossmodal.trainer.data.Datasets;
import io.crossmodal.trainer.data.FolderOptions;
import io.crossmodal.trainer.data.InvalidDatasetException;
import io.crossmodal.trainer.data.Split;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Options that name a data set and how it is read, the same for all commands. */
final class DatasetArguments {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--data",
      required = true,
      description =
          "data set: a caption file (JSON of Karpathy, COCO or PIR, _caps.txt, CSV, TSV or JSON"
              + " Lines of file, caption, perhaps split, webdataset's .tar), a folder of such"
              + " files, or a folder of folders named by the class of their pictures")
  private Path data;

  @Option(
      names = "--images",
      description =
          "folder of the images (default: \"images\" beside the caption file, or beside it)")
  private Path images;

  @Option(
      names = "--allow-problems",
      defaultValue = "0",
      description = "skip up to so many empty captions and unusable images")
  private int allowedProblems;

  @Option(
      names = "--caption-template",
      paramLabel = "TEXT",
      description =
          "labelled folders: a caption, with {class} for the name of the class; repeatable"
              + " (default: five of them)")
  private List<String> templates;

  @Option(
      names = "--split-shares",
      paramLabel = "TRAIN,VAL,TEST",
      converter = Shares.class,
      description =
          "labelled folders and COCO files that name no split: shares of the splits, the same for"
              + " all commands on one data set (default: 0.8,0.1,0.1)")
  private Split.Shares shares;

  @Option(
      names = "--split-seed",
      description =
          "as --split-shares: another seed, another split; the same for all commands on one data"
              + " set (default: 1)")
  private Long splitSeed;

  @Option(
      names = "--distinct-captions",
      description =
          "leave captions of validation and test out that stand verbatim in train, and images that"
              + " have no other; give it to all commands on one data set")
  private boolean distinctCaptions;

  /** Reads "0.8,0.1,0.1". */
  static final class Shares implements ITypeConverter<Split.Shares> {
    private static final Pattern COMMA = Pattern.compile(",");

    @Override
    public Split.Shares convert(String value) {
      try {
        List<Double> shares = COMMA.splitAsStream(value).map(Double::valueOf).toList();
        if (shares.size() == 3) {
          return new Split.Shares(shares.get(0), shares.get(1), shares.get(2));
        }
      } catch (NumberFormatException e) {
        // Said below.
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
      }
      throw new TypeConversionException(
          "three numbers such as 0.8,0.1,0.1 expected, got \"" + value + "\"");
    }
  }

  /** Returns the path as the user wrote it. */
  Path path() {
    return data;
  }

  CaptionedDataset read() throws IOException {
    CaptionedDataset all =
        Datasets.read(
            new Datasets.Options(data, Optional.ofNullable(images), allowedProblems, folders()));
    if (!distinctCaptions) {
      return all;
    }
    CaptionedDataset distinct = all.withDistinctCaptions();
    for (Split split : List.of(Split.VAL, Split.TEST)) {
      command
          .commandLine()
          .getErr()
          .printf(
              Locale.ROOT,
              "%s Left out, with %d of %d images.%n",
              all.shared(split).sentence(split),
              all.split(split).size() - distinct.split(split).size(),
              all.split(split).size());
    }
    return distinct;
  }

  /**
   * Returns the images of a split.
   *
   * @throws IllegalArgumentException when there are none
   */
  List<CaptionedImage> images(CaptionedDataset dataset, Split split) {
    List<CaptionedImage> images = dataset.split(split);
    if (images.isEmpty()) {
      throw new IllegalArgumentException(
          data + " has no image in its split " + split.label() + "; name another with --split");
    }
    return images;
  }

  /**
   * Returns nothing where no such option was given, so that it can be refused where it has no
   * effect.
   */
  private Optional<FolderOptions> folders() {
    if (templates == null && shares == null && splitSeed == null) {
      return Optional.empty();
    }
    FolderOptions usual = FolderOptions.DEFAULT;
    return Optional.of(
        new FolderOptions(
            templates == null ? usual.templates() : templates,
            shares == null ? usual.shares() : shares,
            splitSeed == null ? usual.seed() : splitSeed));
  }

  /**
   * Says what was skipped, if anything.
   *
   * @param pictures what was skipped while decoding
   */
  void report(CaptionedDataset dataset, List<String> pictures) {
    List<String> all = Stream.concat(dataset.problems().stream(), pictures.stream()).toList();
    if (!all.isEmpty()) {
      command
          .commandLine()
          .getErr()
          .println(InvalidDatasetException.summary(data + ", skipped", all));
    }
  }
}
