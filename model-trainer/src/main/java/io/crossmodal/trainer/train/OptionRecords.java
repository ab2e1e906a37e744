/*
 * Copyright the cross-modal project contributors.
 * SPDX-License-Identifier: Apache-2.0
 */
package io.crossmodal.trainer.train;

import com.google.gson.Gson;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.crossmodal.trainer.data.TextFiles;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Options as data. An option is a component of a record of options, or of a record in it. Its name
 * is the component's in lower case with underscores: in {@code recipes.json} beside the record,
 * which gives its values and the help of those that commands have; in a run's {@code options.json};
 * and, as {@code --its-name}, on the command line.
 */
public final class OptionRecords {
  private static final Gson GSON = new Gson();
  private static final String RECIPES = "recipes.json";
  private static final String DEFAULTS = "DEFAULTS";
  private static final String HELP = "HELP";

  private OptionRecords() {}

  /**
   * Returns the values of a recipe: those of {@code DEFAULTS}, and its own over them.
   *
   * @param type record of options, beside whose class {@value #RECIPES} lies
   * @param name of the recipe
   */
  public static Map<String, JsonElement> recipe(Class<? extends Record> type, String name) {
    JsonObject recipes = recipes(type);
    Map<String, JsonElement> values =
        new LinkedHashMap<>(recipes.getAsJsonObject(DEFAULTS).asMap());
    values.putAll(recipes.getAsJsonObject(name).asMap());
    return values;
  }

  /** Returns what is said of each option that commands have, by its name. */
  public static Map<String, String> help(Class<? extends Record> type) {
    Map<String, String> help = new LinkedHashMap<>();
    recipes(type)
        .getAsJsonObject(HELP)
        .asMap()
        .forEach((name, text) -> help.put(name, text.getAsString()));
    return help;
  }

  private static JsonObject recipes(Class<? extends Record> type) {
    return TextFiles.resource(type, RECIPES);
  }

  /**
   * Returns a record of those values.
   *
   * @param values by name; one that is absent is null
   * @throws IllegalArgumentException when a value is refused by its record, missing where null
   *     cannot be, or of a name that the record lacks
   */
  public static <R extends Record> R of(Class<R> type, Map<String, ?> values) {
    for (String name : values.keySet()) {
      if (!types(type).containsKey(name)) {
        throw new IllegalArgumentException(
            "unknown option [" + name + "], known are " + types(type).keySet());
      }
    }
    return type.cast(build(type, values));
  }

  /**
   * Returns {@code base} with other values.
   *
   * @param changes values by name; or a record in {@code base}, by whatever name, for all of its
   * @throws IllegalArgumentException as {@link #of} does
   */
  public static <R extends Record> R with(R base, Map<String, ?> changes) {
    Map<String, Object> values = values(base);
    changes.forEach(
        (name, value) -> {
          if (value instanceof Record part) {
            flatten(part, values);
          } else {
            values.put(name, value);
          }
        });
    @SuppressWarnings("unchecked") // a record has no subclass
    Class<R> type = (Class<R>) base.getClass();
    return of(type, values);
  }

  /** Returns the values of all options by their names. */
  public static Map<String, Object> values(Record options) {
    Map<String, Object> values = new LinkedHashMap<>();
    flatten(options, values);
    return values;
  }

  /** Returns the types of all options by their names. */
  public static Map<String, Class<?>> types(Class<?> type) {
    Map<String, Class<?>> types = new LinkedHashMap<>();
    for (RecordComponent component : type.getRecordComponents()) {
      if (component.getType().isRecord()) {
        types.putAll(types(component.getType()));
      } else {
        types.put(name(component.getName()), component.getType());
      }
    }
    return types;
  }

  private static String name(String component) {
    return component.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
  }

  private static void flatten(Record record, Map<String, Object> values) {
    try {
      for (RecordComponent component : record.getClass().getRecordComponents()) {
        Object value = component.getAccessor().invoke(record);
        if (value instanceof Record part) {
          flatten(part, values);
        } else {
          values.put(name(component.getName()), value);
        }
      }
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Object build(Class<?> type, Map<String, ?> values) {
    RecordComponent[] components = type.getRecordComponents();
    Object[] arguments = new Object[components.length];
    for (int i = 0; i < components.length; i++) {
      Class<?> wanted = components[i].getType();
      String name = name(components[i].getName());
      Object value = wanted.isRecord() ? build(wanted, values) : values.get(name);
      arguments[i] = value instanceof JsonElement json ? GSON.fromJson(json, wanted) : value;
      if (arguments[i] == null && wanted.isPrimitive()) {
        throw new IllegalArgumentException("option [" + name + "] has no value");
      }
    }
    try {
      return type.getDeclaredConstructor(
              Arrays.stream(components).map(RecordComponent::getType).toArray(Class<?>[]::new))
          .newInstance(arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof RuntimeException refused) {
        throw refused;
      }
      throw new IllegalStateException(e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Refuses a value below {@code minimum}. */
  public static void atLeast(String name, int value, int minimum) {
    if (value < minimum) {
      throw new IllegalArgumentException(name + " must be at least " + minimum + ", got " + value);
    }
  }

  /** Refuses what is no share. */
  public static void share(String name, double value) {
    if (!(value >= 0 && value <= 1)) {
      throw new IllegalArgumentException(name + " must lie in [0, 1], got " + value);
    }
  }
}
