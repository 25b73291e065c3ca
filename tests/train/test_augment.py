"""Whole views against numpy, and the official faults that ours must not have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from augmentation_inputs import Array, batch, noise, smooth, some_keys

from references import augmentations as reference
from remedis.errors import UsageError
from remedis.train.augment import Augmentation, augment, centre_view
from remedis.train.blur import radius_of
from remedis.train.draws import draw

EVERYTHING = Augmentation(
    24, rotation_range=40.0, use_elastic_deform=True, equalize_histogram=True, interpolation="bilinear"
)


def expected_view(picture: Array, number: int, how: Augmentation) -> Array:
    """Return view `number` in float64, from what is drawn for it."""
    height, width = torch.tensor([picture.shape[0]]), torch.tensor([picture.shape[1]])
    drawn = draw(height, width, some_keys(number + 1)[-1:], how)
    x = (reference.equalised(picture) if drawn.equalised else picture) / 255
    bends = drawn.bends[0].numpy() if how.use_elastic_deform else None
    x = reference.warped(
        x, drawn.crops[0], bool(drawn.flipped), float(drawn.angles), bends, how.size, how.interpolation
    )
    if drawn.jittered:
        operations = (reference.brightness, reference.contrast, reference.saturation, reference.hue)
        for operation in drawn.order[0].tolist():
            x = np.clip(operations[operation](x, float(drawn.factors[0, operation])), 0, 1)
    x = np.clip(reference.grey(x) if drawn.greyed else x, 0, 1)
    return reference.blurred(x, float(drawn.sigmas), radius_of(how.size)) if drawn.blurred else x


def test_a_view_is_what_its_draws_say_in_the_stated_order() -> None:
    sizes = [(17, 31), (30, 22), (24, 24), (64, 40), (23, 90), (12, 12)] * 3
    pictures = [smooth(*size, seed=i) for i, size in enumerate(sizes)]
    images, heights, widths = batch(pictures)
    ours = augment(images, heights, widths, some_keys(len(sizes)), EVERYTHING)
    assert ours.dtype == torch.float32
    for number, (picture, view) in enumerate(zip(pictures, ours, strict=True)):
        expected = expected_view(picture, number, EVERYTHING)
        # 4e-4 of the warp, up to twice by contrast and again by brightness and saturation
        assert np.abs(view.movedim(0, -1).numpy() - expected).max() < 4e-3


@pytest.mark.parametrize(
    "how",
    [
        Augmentation(32),
        replace(EVERYTHING, interpolation="bicubic", color_jitter_strength=1.25),
        Augmentation(16, color_distort=False, use_blur=False),
    ],
    ids=["default", "everything", "fine-tuning"],
)
def test_views_are_in_range(how: Augmentation) -> None:
    images, heights, widths = batch(noise(*[(20, 30)] * 40))
    views = augment(images, heights, widths, some_keys(40), how)
    assert views.shape == (40, 3, how.size, how.size)
    assert float(views.min()) >= 0
    assert float(views.max()) <= 1
    assert views.isfinite().all()


def test_a_view_without_any_operation_is_a_crop() -> None:
    picture = noise((40, 40))[0]
    how = Augmentation(16, color_distort=False, use_blur=False, flip=False, area=(0.16, 0.16), aspect=(1.0, 1.0))
    views = augment(*batch([picture] * 5), some_keys(5), how)
    crops = draw(torch.full((5,), 40), torch.full((5,), 40), some_keys(5), how).crops.long().tolist()
    for view, (top, left, height, width) in zip(views, crops, strict=True):
        assert (height, width) == (16, 16)
        exact = picture[top : top + 16, left : left + 16].astype(np.float32) * np.float32(1 / 255)
        assert np.array_equal(view.movedim(0, -1).numpy(), exact)


def test_the_same_key_is_the_same_view_and_another_is_another() -> None:
    images, heights, widths = batch([smooth(48, 48)])
    one = augment(images, heights, widths, some_keys(1), EVERYTHING)
    assert torch.equal(one, augment(images, heights, widths, some_keys(1), EVERYTHING))
    for change in ({"seed": 6}, {"epoch": 1}, {"view": 1}):
        assert not torch.equal(one, augment(images, heights, widths, some_keys(1, **change), EVERYTHING))


def test_the_images_are_left_alone() -> None:
    images, heights, widths = batch(noise(*[(20, 30)] * 12))
    before = images.clone()
    augment(images, heights, widths, some_keys(12), EVERYTHING)
    assert torch.equal(images, before)


def test_fault_f2_elastic_views_are_bent_every_time() -> None:
    # officially the function is not defined
    plain = Augmentation(24, color_distort=False, use_blur=False)
    images, heights, widths = batch([smooth(40, 40, seed=i) for i in range(30)])
    bent = augment(images, heights, widths, some_keys(30), replace(plain, use_elastic_deform=True))
    change = (bent - augment(images, heights, widths, some_keys(30), plain)).abs().amax((1, 2, 3))
    assert float(change.min()) > 0.01
    assert float(change.max()) < 0.6


def test_fault_f2_an_evaluations_crop_is_defined() -> None:
    picture = noise((64, 64))[0]
    view = centre_view(*batch([picture]), Augmentation(56))[0]
    exact = picture[4:60, 4:60].astype(np.float32) * np.float32(1 / 255)
    assert np.array_equal(view.movedim(0, -1).numpy(), exact)


def test_fault_f4_pretraining_turns_its_views() -> None:
    # white images: only what is outside of them is black
    images, heights, widths = batch([np.full((40, 40, 3), 255, np.uint8)] * 60)
    plain = Augmentation(24, color_distort=False, use_blur=False)
    assert (augment(images, heights, widths, some_keys(60), plain) - 1).abs().max() < 1e-5
    turned = augment(images, heights, widths, some_keys(60), replace(plain, rotation_range=45.0))
    with_black = (turned.amin((1, 2, 3)) == 0).float().mean()
    assert 0.2 < float(with_black) < 0.9  # crops in the middle see no corner


@pytest.mark.parametrize(
    ("height", "width", "top", "left", "side"),
    [(80, 64, 12, 4, 56), (64, 80, 4, 12, 56), (64, 65, 4, 5, 56), (65, 64, 5, 4, 56)],
)
def test_fault_f11_the_centre_of_an_oblong_image(height: int, width: int, top: int, left: int, side: int) -> None:
    # 0.875 of the shorter side, whichever it is; officially width and height are swapped
    picture = noise((height, width))[0]
    view = centre_view(*batch([picture]), Augmentation(side))[0]
    exact = picture[top : top + side, left : left + side].astype(np.float32) * np.float32(1 / 255)
    assert np.array_equal(view.movedim(0, -1).numpy(), exact)


def test_evaluation_views_are_in_range() -> None:
    # enlarged by a bicubic, which overshoots
    views = centre_view(*batch(noise((20, 20))), Augmentation(56))
    assert float(views.min()) == 0
    assert float(views.max()) == 1


def test_small_evaluation_views_are_the_whole_image() -> None:
    square, oblong = noise((32, 32), (64, 32))
    images, heights, widths = batch([square, oblong])
    views = centre_view(images, heights, widths, Augmentation(32)).movedim(1, -1).numpy()
    assert np.array_equal(views[0], square.astype(np.float32) * np.float32(1 / 255))
    assert np.abs(views[1] - reference.warped(oblong / 255, (0, 0, 64, 32), False, 0, None, 32, "bicubic")).max() < 4e-3


def test_fault_f13_a_flat_image_does_not_go_black() -> None:
    how = Augmentation(16, equalize_histogram=True, color_distort=False, use_blur=False)
    images, heights, widths = batch([np.full((20, 20, 3), 100, np.uint8)] * 20)
    assert (augment(images, heights, widths, some_keys(20), how) - 100 / 255).abs().max() < 1e-6


def test_fault_f13_half_of_the_views_are_equalised() -> None:
    how = Augmentation(16, equalize_histogram=True, color_distort=False, use_blur=False)
    images, heights, widths = batch([smooth(20, 20)] * 200)
    views = augment(images, heights, widths, some_keys(200), how)
    made_grey = ((views - views[:, :1]).abs().amax((1, 2, 3)) < 1e-6).float().mean()
    assert 0.4 < float(made_grey) < 0.6


def test_fault_f17_each_option_acts_where_it_is_set() -> None:
    # officially `use_blur` of the options is never read, and colours stay as they are in fine-tuning whatever is asked
    images, heights, widths = batch([smooth(40, 40, seed=i) for i in range(40)])
    plain = Augmentation(40, color_distort=False, use_blur=False)
    without = augment(images, heights, widths, some_keys(40), plain)
    for option in ("use_blur", "color_distort", "equalize_histogram"):
        changed = augment(images, heights, widths, some_keys(40), replace(plain, **{option: True}))
        share = ((changed - without).abs().amax((1, 2, 3)) > 0).float().mean()
        assert 0.3 < float(share) < 0.95


def test_what_is_no_batch_of_images_is_refused() -> None:
    images, heights, widths = batch(noise((8, 9), (6, 7)))
    how, keys = Augmentation(16), some_keys(2)
    with pytest.raises(UsageError, match=r"float32 \(2, 8, 9, 3\), expected uint8 \(n, H, W, 3\)"):
        augment(images.float(), heights, widths, keys, how)
    with pytest.raises(UsageError, match=r"uint8 \(2, 8, 9\)"):
        centre_view(images[..., 0], heights, widths, how)
    with pytest.raises(UsageError, match=r"heights: found \[8, 9\], expected 2 from 1 to 8"):
        augment(images, torch.tensor([8, 9]), widths, keys, how)
    with pytest.raises(UsageError, match=r"widths: found \[0, 7\], expected 2 from 1 to 9"):
        centre_view(images, heights, torch.tensor([0, 7]), how)
    with pytest.raises(UsageError, match=r"heights: found \[8\], expected 2"):
        augment(images, heights[:1], widths, keys, how)


def test_no_images_are_no_views() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    images = torch.zeros(0, 8, 8, 3, dtype=torch.uint8)
    assert augment(images, none, none, none, EVERYTHING).shape == (0, 3, 24, 24)
    assert centre_view(images, none, none, EVERYTHING).shape == (0, 3, 24, 24)
