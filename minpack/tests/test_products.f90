! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Triangles of lanes from inner products of columns: against those by reflections, and where they are left to these.
program test_products
    use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan
    use kinds, only: wp, eps
    use lane_kinds, only: lane_rows
    use lane_widths_baseline, only: width
    use lane_fold_baseline, only: fold_rows
    use lane_models_baseline, only: evaluate, ends_in_offset
    use lane_products_baseline, only: add_products
    use lane_plain_products_baseline, only: add_plain_products => add_products
    use lane_rows_baseline, only: make_rows, scale_rows
    use solver_options, only: loss_linear
    use lane_curved_products_baseline, only: add_curved_products
    use lane_plain_curved_products_baseline, only: add_plain_curved_products => add_curved_products
    use lane_cholesky_baseline, only: factor_products
    use lane_choice_baseline, only: take_triangles
    use testing, only: check, check_at_most, finish, digits_of
    implicit none (type, external)

    !> Of each model.
    integer, parameter :: parameters(25) = [4, 4, 5, 3, 5, 4, 2, 3, 5, 5, 7, 1, 2, 3, 5, 5, 5, 4, 3, 6, 5, 4, 7, 6, 5]
    integer :: columns, model

    call random_init(repeatable=.true., image_distinct=.false.)
    do columns = 1, 13
        call check_products(columns)
        call check_curved(columns)
    end do
    do columns = 3, 5
        call check_plain(columns)
        call check_plain_curved(columns)
    end do
    do model = 1, size(parameters)
        call check_offset(model)
    end do
    call finish()

contains

    !> Lanes with a column of zeros, of NaN, too large or too small to be squared, and nearly dependent on another one.
    subroutine check_products(n)
        integer, intent(in) :: n

        real(wp) :: matrix(width, lane_rows, n + 1), block(width, lane_rows, n + 1), head(width, n, n + 1)
        real(wp) :: products(width, n, n + 1), sound(width), work(width, n + 1, 2), wanted(width), worst
        real(wp) :: squares(width)
        integer :: i, round

        call random_number(matrix)
        matrix = matrix - 0.5_wp
        matrix(1, :, 1) = 0.0_wp
        matrix(2, :, 1) = ieee_value(1.0_wp, ieee_quiet_nan)
        matrix(3, :, :) = 1.0e145_wp*matrix(3, :, :)
        matrix(4, :, :) = 1.0e-145_wp*matrix(4, :, :)
        matrix(5, :, n) = matrix(5, :, max(1, n - 1)) + 1.0e-5_wp*matrix(5, :, n)
        matrix(6, :, n) = matrix(6, :, max(1, n - 1)) + 1.0e-2_wp*matrix(6, :, n)
        wanted = 1.0_wp
        wanted(2:4) = 0.0_wp
        if (n > 1) wanted(5) = 0.0_wp
        head = 0.0_wp
        products = 0.0_wp
        do round = 1, 2
            block = matrix
            squares = 0.0_wp
            call add_products(lane_rows - round, n, block, block(:, :, n + 1), products, squares)
            call check(all(squares == 0.0_wp), "costs of rows that are made")
            call fold_rows(lane_rows - round, n, block, head, work)
        end do
        call factor_products(n, products, sound)
        call check(all(sound == wanted), "columns nearly dependent among "//digits_of(n))
        worst = 0.0_wp
        do i = 1, n
            worst = max(worst, maxval(abs(abs(products([1, 6, 7, 8], i, i:)) - abs(head([1, 6, 7, 8], i, i:)))))
        end do
        call check_at_most(worst, 1.0e6_wp*eps, "triangles of "//digits_of(n)//" columns from inner products")
        call take_triangles(n, sound, head, products)
        do i = 1, n
            call check(all(products(3:5, i, i:) == head(3:5, i, i:) .or. spread(wanted(3:5) == 1.0_wp, 2, n + 2 - i)), &
                       "rows by reflections")
        end do
    end subroutine check_products

    !> Products with second derivatives are those of rows multiplied by roots of these, and gradients the same.
    subroutine check_curved(n)
        integer, intent(in) :: n

        real(wp) :: block(width, lane_rows, n + 1), w(width, lane_rows), curved(width, n, n + 1)
        real(wp) :: products(width, n, n + 1), squares(width), worst
        integer :: j, round

        call random_number(block)
        call random_number(w)
        block = block - 0.5_wp
        w(:, ::5) = 0.0_wp                  ! rows that do not count
        block(:, ::5, n + 1) = 0.0_wp
        curved = 1.0_wp                     ! what sums are added to
        products = 1.0_wp
        squares = 0.0_wp
        do round = 0, 1
            call add_curved_products(lane_rows - round, n, block, w, curved)
        end do
        call scale_rows(lane_rows, n, w, block)
        do round = 0, 1
            call add_products(lane_rows - round, n, block, block(:, :, n + 1), products, squares)
        end do
        worst = 0.0_wp
        do j = 1, n + 1
            worst = max(worst, maxval(abs(curved(:, 1:min(j, n), j) - products(:, 1:min(j, n), j))))
        end do
        ! Two sums of 52 terms of at most a quarter, each rounded.
        call check_at_most(worst, 2*lane_rows*eps, "products with second derivatives among "//digits_of(n))
    end subroutine check_curved

    !> Products and costs of plain rows are the same bits as of rows that are made.
    subroutine check_plain(n)
        integer, intent(in) :: n

        real(wp) :: block(width, lane_rows, n + 1), y(width, lane_rows), none(width, 1)
        real(wp) :: products(width, n, n + 1), plain(width, n, n + 1), squares(width), costs(width)
        integer :: rows, j

        do rows = 0, lane_rows, 13
            call random_number(block)
            call random_number(y)
            block = block - 0.5_wp
            block(:, :, n) = 1.0_wp
            plain = 0.0_wp
            costs = 1.0_wp
            call add_plain_products(rows, n, block, y, plain, costs)
            products = 0.0_wp
            squares = 1.0_wp
            call make_rows(rows, n, loss_linear, 1.0_wp, y, .false., none, block, squares)
            call add_products(rows, n, block, y, products, squares)
            do j = 1, n + 1
                call check(all(plain(:, 1:min(j, n), j) == products(:, 1:min(j, n), j)), "sums among "//digits_of(n))
            end do
            call check(all(costs == squares), "costs of plain rows")
        end do
    end subroutine check_plain

    !> With a loss, products are the same bits whether ones are there or not.
    subroutine check_plain_curved(n)
        integer, intent(in) :: n

        real(wp) :: block(width, lane_rows, n + 1), w(width, lane_rows)
        real(wp) :: products(width, n, n + 1), plain(width, n, n + 1)
        integer :: rows, j

        do rows = 0, lane_rows, 13
            call random_number(block)
            call random_number(w)
            block = block - 0.5_wp
            block(:, :, n) = 1.0_wp
            products = 0.0_wp
            plain = 0.0_wp
            call add_curved_products(rows, n, block, w, products)
            block(:, :, n) = ieee_value(1.0_wp, ieee_quiet_nan)
            call add_plain_curved_products(rows, n, block, w, plain)
            do j = 1, n + 1
                call check(all(plain(:, 1:min(j, n), j) == products(:, 1:min(j, n), j)), &
                           "sums with second derivatives among "//digits_of(n))
            end do
        end do
    end subroutine check_plain_curved

    !> The last derivative is one where it is said to be, and nowhere else among models of as many parameters.
    subroutine check_offset(model)
        integer, intent(in) :: model

        real(wp) :: x(width, lane_rows, 2), p(width, parameters(model)), f(width, lane_rows)
        real(wp) :: slopes(width, lane_rows, parameters(model)), raised(width, lane_rows)
        integer :: n

        n = parameters(model)
        call random_number(x)
        call random_number(p)
        p = p + 0.5_wp
        call evaluate(model, lane_rows, 2, n, x, p, f, slopes)
        p(:, n) = p(:, n) + 1.0_wp
        call evaluate(model, lane_rows, 2, n, x, p, raised, slopes)
        call check(ends_in_offset(model) .eqv. (n >= 3 .and. n <= 5 .and. all(slopes(:, :, n) == 1.0_wp)), &
                   "whether model "//digits_of(model)//" ends in an offset")
        if (.not. ends_in_offset(model)) return
        call check_at_most(maxval(abs(raised - f - 1.0_wp)/abs(raised)), 4*eps, "what the offset adds")
    end subroutine check_offset

end program test_products
