/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import com.google.gson.JsonElement;
import io.crossmodal.trainer.train.OptionRecords;
import java.lang.invoke.MethodType;
import java.lang.reflect.Field;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.IModelTransformer;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.ISetter;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;

/**
 * The options of a record as options of a command: each component that has picocli's {@code Option}
 * on it. The command names {@link Transformer} as its model transformer.
 */
final class RecordOptions {
  private final Class<? extends Record> type;
  private final List<Map<String, JsonElement>> recipes;
  private final Map<String, Object> given = new LinkedHashMap<>();

  /**
   * Makes the options of a record.
   *
   * @param recipes that give what the user does not; where they agree, the help says on what
   */
  RecordOptions(Class<? extends Record> type, List<String> recipes) {
    this.type = type;
    this.recipes = recipes.stream().map(name -> OptionRecords.recipe(type, name)).toList();
  }

  /** A command that has such options. */
  interface Holder {
    /** Returns the options. */
    RecordOptions recordOptions();
  }

  /** Adds a {@link Holder}'s options to its command. */
  static final class Transformer implements IModelTransformer {
    @Override
    public CommandSpec transform(CommandSpec command) {
      ((Holder) command.userObject()).recordOptions().addTo(command);
      return command;
    }
  }

  private void addTo(CommandSpec command) {
    OptionRecords.fields(type)
        .forEach(
            (name, field) -> {
              if (field.isAnnotationPresent(Option.class)) {
                command.addOption(option(name, field));
              }
            });
  }

  private OptionSpec option(String name, Field field) {
    Option option = field.getAnnotation(Option.class);
    Set<String> usual =
        recipes.stream()
            .map(recipe -> recipe.get(name))
            .map(value -> value == null ? "" : value.getAsString())
            .collect(Collectors.toSet());
    String text = String.join(" ", option.description());
    if (usual.size() == 1 && !usual.contains("")) {
      text = (text + " (default: " + usual.iterator().next() + ")").strip();
    }
    ISetter setter =
        new ISetter() {
          @Override
          @SuppressWarnings("unchecked") // picocli's contract: the value before
          public <T> T set(T value) {
            return (T) (value == null ? given.remove(name) : given.put(name, value));
          }
        };
    return OptionSpec.builder(option.names())
        .description(text)
        .paramLabel("<" + field.getName() + ">")
        .type(MethodType.methodType(field.getType()).wrap().returnType())
        .negatable(option.negatable())
        .setter(setter)
        .build();
  }

  /** Returns whether the user has given that option. */
  boolean has(String name) {
    return given.containsKey(name);
  }

  /**
   * Returns {@code base} with what the user has given.
   *
   * @throws IllegalArgumentException when the record refuses it
   */
  <R extends Record> R over(R base) {
    return OptionRecords.with(base, given);
  }
}
