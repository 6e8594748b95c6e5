! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Spots in images: which points are those of an image, and inner products against sums in quadruple precision.
program test_images
    use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan, ieee_positive_inf, ieee_is_finite
    use kinds, only: wp, eps
    use lane_kinds, only: lane_rows, lane_pattern, lane_group, vectors, of_trial, of_lower, of_upper
    use lane_patterns, only: line_of
    use lane_widths_baseline, only: width
    use lane_models_baseline, only: evaluate, tabulate
    use lane_image_products_baseline, only: reduce_images, multiply_image
    use testing, only: check, check_at_most, check_equal, finish, digits_of
    implicit none (type, external)

    integer, parameter :: quad = selected_real_kind(30)
    integer, parameter :: gaussian_2d = 10, gaussian_2d_pixel = 25

    call random_init(repeatable=.true., image_distinct=.false.)
    call check_lines()
    call check_products(5, 5, turned=.false.)
    call check_products(5, 5, turned=.true.)
    call check_products(17, 9, turned=.false.)
    call check_products(9, 60, turned=.true.)
    call check_products(70, 4, turned=.false.)
    call check_lanes()
    call check_extremes()
    call check_pixels(15, 15, turned=.false.)
    call check_pixels(4, 40, turned=.true.)
    call check_pixels(60, 5, turned=.false.)
    call check_bare_pattern()
    call finish()

contains

    !> The coordinates of an image line by line; `turned`: its second coordinate runs along lines.
    pure function pixels(line, lines, turned) result(x)
        integer, intent(in) :: line, lines
        logical, intent(in) :: turned
        real(wp) :: x(line*lines, 2)

        integer :: i

        do i = 0, line*lines - 1
            x(i + 1, merge(2, 1, turned)) = mod(i, line)
            x(i + 1, merge(1, 2, turned)) = i/line
        end do
    end function pixels

    subroutine check_lines()
        real(wp) :: x(48, 2), few(2, 2)
        integer :: i

        x = pixels(8, 6, .false.)
        call check_equal(line_of(48, 2, x), 8, "points of a line")
        call check_equal(line_of(48, 2, x(:, 2:1:-1)), -8, "points of a turned line")
        call check_equal(line_of(48, 1, x(:, 1)), 0, "lines with one predictor")
        call check_equal(line_of(47, 2, x(:47, :)), 0, "an image without its last point")
        call check_equal(line_of(8, 2, x(:8, :)), 0, "one line")
        call check_equal(line_of(6, 2, x(1::8, :)), 0, "one column")
        call check_equal(line_of(1, 2, x(:1, :)), 0, "one point")
        call check_equal(line_of(16, 2, pixels(4, 4, .false.)), 4, "the smallest square")
        call check_equal(line_of(9, 2, pixels(3, 3, .false.)), 0, "hardly fewer coordinates than points")
        few = x(:2, :)
        few(:, 1) = 0.0_wp
        call check_equal(line_of(2, 2, few), 0, "one point twice")
        do i = 1, 48
            x = pixels(8, 6, .false.)
            x(i, 1 + mod(i, 2)) = nearest(x(i, 1 + mod(i, 2)), 1.0_wp)
            call check_equal(line_of(48, 2, x), 0, "an image with a point moved, "//digits_of(i))
            x(i, 1 + mod(i, 2)) = ieee_value(1.0_wp, ieee_quiet_nan)
            call check_equal(line_of(48, 2, x), 0, "an image with a point nowhere, "//digits_of(i))
        end do
        x = pixels(8, 6, .false.)
        x(41:, 2) = ieee_value(1.0_wp, ieee_positive_inf)
        call check_equal(line_of(48, 2, x), 8, "an image with a line at infinity")
    end subroutine check_lines

    !> Put the points of an image in all lanes.
    pure function in_lanes(x) result(blocks)
        real(wp), intent(in) :: x(:, :)
        real(wp) :: blocks(width, lane_rows, 2, (size(x, 1) - 1)/lane_rows + 1)

        integer :: i

        blocks = 0.0_wp
        do i = 0, size(x, 1) - 1
            blocks(:, mod(i, lane_rows) + 1, :, i/lane_rows + 1) = spread(x(i + 1, :), 1, width)
        end do
    end function in_lanes

    !> Random spots somewhere in an image.
    function spots(x) result(p)
        real(wp), intent(in) :: x(:, :)
        real(wp) :: p(width, 5)

        call random_number(p)
        p(:, 1) = 10.0_wp*p(:, 1) - 3.0_wp
        p(:, 2) = p(:, 2)*maxval(x(:, 1))
        p(:, 3) = p(:, 3)*maxval(x(:, 2))
        p(:, 4) = 0.6_wp + 3.0_wp*p(:, 4)
    end function spots

    !> Inner products and costs of a Gaussian, whose rows are also worked out in quadruple precision.
    subroutine check_products(line, lines, turned)
        integer, intent(in) :: line, lines
        logical, intent(in) :: turned

        real(wp) :: x(line*lines, 2), y(width, line*lines), p(width, 5), table(width, 3, line + lines)
        real(wp) :: products(width, 5, 6), squares(width), worst, cost
        real(quad) :: row(line*lines, 6)
        integer :: i, j, l, m

        m = line*lines
        x = pixels(line, lines, turned)
        p = spots(x)
        call random_number(y)
        call multiply_image(gaussian_2d, m, line_of(m, 2, x), in_lanes(x), y, p, table, products, squares)
        worst = 0.0_wp
        cost = 0.0_wp
        do l = 1, width
            call exact_rows(m, x, y(l, :), p(l, :), row)
            do j = 1, 6
                do i = 1, min(j, 5)
                    worst = max(worst, real(abs(products(l, i, j) - sum(row(:, i)*row(:, j))) &
                                            /sum(abs(row(:, i)*row(:, j))), wp))
                end do
            end do
            cost = max(cost, real(abs(squares(l) - sum(row(:, 6)**2))/sum(row(:, 6)**2), wp))
        end do
        ! Exponents are below 10 where anything adds up, which is as many units for what they are rounded by, and sums
        ! along lines and over them are rounded at each term.
        call check_at_most(worst, (30 + line + lines)*eps, "inner products of an image of "//digits_of(m))
        call check_at_most(cost, (30 + line + lines)*eps, "costs of an image of "//digits_of(m))
    end subroutine check_products

    !> Derivatives of a Gaussian, and residuals.
    pure subroutine exact_rows(m, x, y, p, row)
        integer, intent(in) :: m
        real(wp), intent(in) :: x(m, 2), y(m), p(5)
        real(quad), intent(out) :: row(m, 6)

        real(quad) :: u(m), v(m)

        u = (real(x(:, 1), quad) - p(2))/p(4)
        v = (real(x(:, 2), quad) - p(3))/p(4)
        row(:, 1) = exp(-0.5_quad*(u*u + v*v))
        row(:, 2) = p(1)*row(:, 1)*u/p(4)
        row(:, 3) = p(1)*row(:, 1)*v/p(4)
        row(:, 4) = p(1)*row(:, 1)*(u*u + v*v)/p(4)
        row(:, 5) = 1.0_quad
        row(:, 6) = p(1)*row(:, 1) + p(5) - y
    end subroutine exact_rows

    !> Of lanes with images of two shapes, with rows and with a fixed parameter: each has the numbers of its own image.
    subroutine check_lanes()
        integer, parameter :: m = 36
        real(wp), target :: x(width, lane_rows, 2, 1), y(width, lane_rows, 1), v(width, 5, vectors)
        real(wp), target :: table(width, 3, m/2), fresh(width, 5, 6)
        real(wp) :: squares(width), wide(width, 5, 6), high(width, 5, 6), of_wide(width), of_high(width), p(width, 5)
        type(lane_group) :: group
        integer :: j

        call random_number(y)
        p = spots(pixels(4, 9, .false.))
        v(:, :, of_trial) = p
        v(:, :, of_lower) = -100.0_wp
        v(:, :, of_upper) = 100.0_wp
        v(1, 3, of_upper) = -100.0_wp
        call multiply_image(gaussian_2d, m, 4, in_lanes(pixels(4, 9, .false.)), y, p, table, high, of_high)
        call multiply_image(gaussian_2d, m, 9, in_lanes(pixels(9, 4, .false.)), y, p, table, wide, of_wide)
        group%x => x
        group%y => y
        group%v => v
        group%fresh => fresh
        group%pattern%table => table
        group%fixing = .true.
        group%pattern%line = 4
        group%pattern%line(2) = 9
        x = in_lanes(pixels(4, 9, .false.))
        x(2:2, :m, :, 1) = spread(pixels(9, 4, .false.), 1, 1)
        fresh = -7.0_wp
        squares = -7.0_wp
        call reduce_images(gaussian_2d, m, [(j /= 3, j=1, width)], group, squares)
        call check(all(squares == [of_high(1), of_wide(2), -7.0_wp, of_high(4:)]), "costs of lanes")
        do j = 1, 6
            call check(all(fresh(2, :min(j, 5), j) == wide(2, :min(j, 5), j)), "a lane of another shape")
            call check(all(fresh(3, :min(j, 5), j) == -7.0_wp), "a lane that is left as it is")
            call check(all(fresh(4:, :min(j, 5), j) == high(4:, :min(j, 5), j)), "the other lanes")
        end do
        call check(all(fresh(1, :3, 3) == 0.0_wp) .and. all(fresh(1, 3, 3:) == 0.0_wp), "a fixed parameter")
        call check(all(fresh(1, 1:2, 2) == high(1, 1:2, 2)) .and. all(fresh(1, 4, 4:) == high(1, 4, 4:)), &
                   "others than the fixed parameter")
    end subroutine check_lanes

    !> Far from a narrow spot, where only products of exponentials vanish, and at infinity, everything is finite.
    subroutine check_extremes()
        real(wp) :: x(225, 2), y(width, 225), p(width, 5), table(width, 3, 30), products(width, 5, 6), squares(width)
        integer :: l, model

        x = pixels(15, 15, .false.)
        x(211:, 2) = ieee_value(1.0_wp, ieee_positive_inf)
        x(15::15, 1) = -ieee_value(1.0_wp, ieee_positive_inf)
        y = 1.0_wp
        do model = gaussian_2d, gaussian_2d_pixel, gaussian_2d_pixel - gaussian_2d
            do l = 1, width
                p(l, :) = [3.0_wp, 0.3_wp, 0.2_wp, 0.8_wp*0.55_wp**l, 0.5_wp]
            end do
            call multiply_image(model, 225, line_of(225, 2, x), in_lanes(x), y, p, table, products, squares)
            do l = 1, 6
                call check(all(ieee_is_finite(products(:, :min(l, 5), l))), "products far away are finite")
            end do
            call check(all(ieee_is_finite(squares)), "costs far away are finite")
        end do
    end subroutine check_extremes

    !> Pixels have the same numbers from a table of all coordinates as from one of each block, and as from none.
    subroutine check_pixels(line, lines, turned)
        integer, intent(in) :: line, lines
        logical, intent(in) :: turned

        real(wp) :: x(line*lines, 2), blocks(width, lane_rows, 2, (line*lines - 1)/lane_rows + 1), p(width, 5)
        real(wp) :: f(width, lane_rows, 3), slopes(width, lane_rows, 5, 3)
        real(wp), target :: table(width, 3, line + lines)
        type(lane_pattern) :: tabulated, known
        integer :: b, m, rows

        m = line*lines
        x = pixels(line, lines, turned)
        blocks = in_lanes(x)
        p = spots(x)
        known%line = line_of(m, 2, x)
        tabulated%line = known%line
        tabulated%table => table
        call tabulate(gaussian_2d_pixel, m, 2, 5, blocks, p, tabulated)
        call check(tabulated%tabulated, "there is a table")
        do b = 1, size(blocks, 4)
            tabulated%before = (b - 1)*lane_rows
            known%before = tabulated%before
            rows = min(lane_rows, m - known%before)
            call evaluate(gaussian_2d_pixel, rows, 2, 5, blocks(:, :, :, b), p, f(:, :, 1), slopes(:, :, :, 1))
            call evaluate(gaussian_2d_pixel, rows, 2, 5, blocks(:, :, :, b), p, f(:, :, 2), slopes(:, :, :, 2), known)
            call evaluate(gaussian_2d_pixel, rows, 2, 5, blocks(:, :, :, b), p, f(:, :, 3), slopes(:, :, :, 3), &
                          tabulated)
            call check(all(f(:, :rows, 2:) == f(:, :rows, [1, 1])), "values of pixels")
            call check(all(slopes(:, :rows, :, 2:) == slopes(:, :rows, :, [1, 1])), "derivatives of pixels")
        end do
    end subroutine check_pixels

    !> Lanes with images of different shapes have no table in common.
    subroutine check_bare_pattern()
        real(wp) :: x(width, lane_rows, 2, 1), p(width, 5)
        type(lane_pattern) :: pattern

        x = 1.0_wp
        p = 1.0_wp
        pattern%line = 5
        pattern%line(width) = -5
        call tabulate(gaussian_2d_pixel, 25, 2, 5, x, p, pattern)
        call check(.not. pattern%tabulated, "no table for lanes with different lines")
        pattern%line = 0
        call tabulate(gaussian_2d_pixel, 25, 2, 5, x, p, pattern)
        call check(.not. pattern%tabulated, "no table where nothing repeats")
    end subroutine check_bare_pattern

end program test_images
