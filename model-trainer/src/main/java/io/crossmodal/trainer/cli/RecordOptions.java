/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.cli;

import com.google.gson.JsonElement;
import io.crossmodal.model.Precision;
import io.crossmodal.trainer.train.OptionRecords;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.IModelTransformer;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.IGetter;
import picocli.CommandLine.Model.ISetter;
import picocli.CommandLine.Model.OptionSpec;

/**
 * The options of a record as options of a command: each that {@code recipes.json} has help for, and
 * one of the command's recipes a value. The command names {@link Transformer} as its model
 * transformer.
 */
final class RecordOptions {
  private static final String PRECISION = "precision";

  /** Second names, as users know them from elsewhere. */
  private static final Map<String, String> SHORTER = Map.of("augmentation", "--augment");

  private final Class<? extends Record> type;
  private final Map<String, Map<String, JsonElement>> recipes = new LinkedHashMap<>();
  private final Map<String, Object> given = new LinkedHashMap<>();

  /**
   * Makes the options of a record.
   *
   * @param recipes that give what the user does not; the help says which value
   */
  RecordOptions(Class<? extends Record> type, String... recipes) {
    this.type = type;
    for (String name : recipes) {
      this.recipes.put(name, OptionRecords.recipe(type, name));
    }
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
    Map<String, Class<?>> types = OptionRecords.types(type);
    Map<String, String> help = OptionRecords.help(type);
    help.keySet()
        .removeIf(name -> recipes.values().stream().noneMatch(values -> values.containsKey(name)));
    help.forEach((name, text) -> command.addOption(option(name, types.get(name), text)));
  }

  /** Returns what the recipes have for an option: one value where they agree. */
  private String usual(String name) {
    Map<String, String> values = new LinkedHashMap<>();
    recipes.forEach(
        (recipe, options) -> {
          if (options.containsKey(name) && !options.get(name).isJsonNull()) {
            JsonElement value = options.get(name);
            values.put(recipe, value.isJsonPrimitive() ? value.getAsString() : value.toString());
          }
        });
    if (values.isEmpty()) {
      return "";
    }
    Set<String> distinct = Set.copyOf(values.values());
    if (distinct.size() == 1 && values.size() == recipes.size()) {
      return "\n  Default: " + distinct.iterator().next();
    }
    return values.entrySet().stream()
        .map(value -> value.getKey() + " " + value.getValue())
        .collect(Collectors.joining(", ", "\n  Default: ", ""));
  }

  private OptionSpec option(String name, Class<?> valueType, String help) {
    ISetter setter =
        new ISetter() {
          @Override
          @SuppressWarnings("unchecked") // picocli's contract: the value before
          public <T> T set(T value) {
            return (T) (value == null ? given.remove(name) : given.put(name, value));
          }
        };
    // What a user gives several times is added to what was given before.
    IGetter getter =
        new IGetter() {
          @Override
          @SuppressWarnings({"unchecked", "TypeParameterUnusedInFormals"}) // picocli's contract
          public <T> T get() {
            return (T) given.get(name);
          }
        };
    String option = name.replace('_', '-');
    List<String> names = new ArrayList<>(List.of("--" + option));
    Optional.ofNullable(SHORTER.get(name)).ifPresent(names::add);
    return OptionSpec.builder(names.toArray(String[]::new))
        .description((help + usual(name)).split("\n"))
        .paramLabel("<" + option + ">")
        .type(MethodType.methodType(valueType).wrap().returnType())
        .auxiliaryTypes(parts(valueType))
        .getter(getter)
        .negatable(valueType == boolean.class)
        .setter(setter)
        .build();
  }

  /** Returns what an option's value is made of. */
  private static Class<?>[] parts(Class<?> type) {
    if (type == Map.class) {
      return new Class<?>[] {String.class, Double.class};
    }
    return new Class<?>[] {
      type == List.class ? String.class : MethodType.methodType(type).wrap().returnType()
    };
  }

  /** Returns whether the user has given that option. */
  boolean has(String name) {
    return given.containsKey(name);
  }

  /**
   * Returns the recipe of that name with what the user has given.
   *
   * @param absent value of what the recipe leaves out
   * @throws IllegalArgumentException when the record refuses it
   */
  <R extends Record> R applyTo(Class<R> record, String recipe, Map<String, ?> absent) {
    Map<String, Object> values = new LinkedHashMap<>(absent);
    values.putAll(recipes.get(recipe));
    values.putAll(given);
    return OptionRecords.of(record, values);
  }

  /**
   * Returns {@code base} with what the user has given. What would train in bfloat16 trains in fp32
   * where the processor has no instructions for it, unless the user wants it so, and a line says
   * so.
   *
   * @throws IllegalArgumentException when the record refuses it
   */
  <R extends Record> R applyTo(R base) {
    return applyTo(base, Bfloat16.isFast());
  }

  <R extends Record> R applyTo(R base, boolean bfloat16) {
    Map<String, Object> values = new LinkedHashMap<>(given);
    if (!bfloat16
        && !has(PRECISION)
        && OptionRecords.values(base).get(PRECISION) == Precision.BF16) {
      System.err.println(
          "this processor has no instructions for bfloat16: --precision FP32 in place of BF16");
      values.put(PRECISION, Precision.FP32);
    }
    return OptionRecords.with(base, values);
  }
}
