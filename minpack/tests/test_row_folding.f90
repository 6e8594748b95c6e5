! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> Row-block folding against the classic factorisation of the whole matrix.
program test_row_folding
    use, intrinsic :: ieee_arithmetic, only: ieee_value, ieee_quiet_nan, ieee_is_nan
    use kinds, only: wp, long, eps, row_block
    use reductions, only: reduction, new_reduction, factor
    use row_folding, only: fold_block
    use rows, only: gather_slopes
    use pivoted_qr, only: factor_rows
    use testing, only: check, check_at_most, finish, digits_of
    use matrices, only: random_matrix, random_vector, graded_matrix, upper_triangle, is_permutation, &
        scaled_difference, column_norms, greatest
    implicit none (type, external)

    integer, parameter :: heights(*) = [6, 7, row_block - 1, row_block, row_block + 1, 2*row_block, 1300, 5000]
    real(wp), allocatable :: jac(:, :)
    integer :: k

    do k = 1, size(heights)
        call check_against_whole(random_matrix(heights(k), 6), digits_of(heights(k))//" rows")
    end do
    call check_against_whole(random_matrix(1300, 1), "one column")
    call check_against_whole(random_matrix(1, 1), "one entry")
    call check_against_whole(graded_matrix(1300, 6, 1.0e-3_wp), "graded")
    call check_against_whole(1.0e200_wp*random_matrix(1300, 6), "scale 1e200")
    call check_against_whole(1.0e-200_wp*random_matrix(1300, 6), "scale 1e-200")
    jac = random_matrix(1300, 4)
    jac(:, 3) = 0.0_wp
    call check_against_whole(jac, "zero column")
    jac = random_matrix(1300, 4)
    jac(:2*row_block, 2) = 0.0_wp
    call check_against_whole(jac, "column zero but in the last block")
    jac = random_matrix(1300, 4)
    jac(row_block + 1:, 2) = 0.0_wp
    call check_against_whole(jac, "column zero after the first block")
    jac(row_block + 1:, :) = 1.0e-9_wp*jac(row_block + 1:, :)
    call check_against_whole(jac, "small rows after the first block")
    call check_rank_deficient()
    call check_strides()
    call check_not_finite()
    call check_one_block()
    call finish()

contains

    !> Fold a matrix stored by columns.
    function fold(jac, f) result(answer)
        real(wp), intent(in) :: jac(:, :)
        real(wp), intent(in) :: f(:)
        type(reduction) :: answer

        answer = fold_strided(size(jac, 1), size(jac, 2), pack(jac, .true.), 1_long, size(jac, 1, kind=long), f)
    end function fold

    function fold_strided(m, n, entries, row_stride, column_stride, f) result(answer)
        integer, intent(in) :: m, n
        real(wp), intent(in) :: entries(:)
        integer(long), intent(in) :: row_stride, column_stride
        real(wp), intent(in) :: f(:)
        type(reduction) :: answer

        real(wp) :: block(row_block, n + 1), head(n, n + 1), work(n, 2)
        integer :: first, rows

        answer = new_reduction(n)
        head = 0.0_wp
        do first = 1, m, row_block
            rows = min(row_block, m - first + 1)
            call gather_slopes(rows, n, row_block, entries(1 + (first - 1)*row_stride:), row_stride, column_stride, &
                               .false., f, block)
            block(1:rows, n + 1) = f(first:first + rows - 1)
            call fold_block(rows, n, block, head)
        end do
        call factor_rows(n, n, head, answer%r, answer%qtf, answer%ipvt, answer%acnorm, work(:, 1), work(:, 2))
        answer%r = upper_triangle(answer%r)
    end function fold_strided

    !> Same pivots, and the same R and qtf but for the signs of their rows.
    !>
    !> The matrices are random, hence well conditioned up to the scales of their columns: R and qtf are then
    !> determined as well as the matrix, to m eps, times 10 for a condition of that order.
    subroutine check_against_whole(jac, what)
        real(wp), intent(in) :: jac(:, :)
        character(*), intent(in) :: what

        real(wp) :: f(size(jac, 1)), norms(size(jac, 2)), sine(size(jac, 2), size(jac, 2))
        type(reduction) :: folded, whole
        integer :: j, m

        m = size(jac, 1)
        f = random_vector(m)
        folded = fold(jac, f)
        whole = factor(jac, f)
        norms = column_norms(jac)
        call check(is_permutation(folded%ipvt), what//": ipvt is a permutation")
        call check(all(folded%ipvt == whole%ipvt), what//": same pivots")
        call check_at_most(greatest((folded%acnorm - norms)/max(norms, tiny(1.0_wp))), m*eps, &
                           what//": error of acnorm")
        sine = abs(folded%r) - abs(whole%r)
        do j = 1, size(norms)
            if (norms(whole%ipvt(j)) > 0.0_wp) sine(:, j) = sine(:, j)/norms(whole%ipvt(j))
        end do
        call check_at_most(greatest(sine), 10.0_wp*m*eps, what//": difference of |R|")
        call check_at_most(greatest(merge(abs(folded%qtf) - abs(whole%qtf), 0.0_wp, norms(whole%ipvt) > 0.0_wp)), &
                           10.0_wp*m*eps*norm2(f), what//": difference of |qtf|")
        call check_normal_equations(jac, f, folded, what)
    end subroutine check_against_whole

    !> Rᵀ R = Pᵀ Jᵀ J P and Rᵀ qtf = Pᵀ Jᵀ f, which the steps of a fit rest on.
    subroutine check_normal_equations(jac, f, answer, what)
        real(wp), intent(in) :: jac(:, :)
        real(wp), intent(in) :: f(:)
        type(reduction), intent(in) :: answer
        character(*), intent(in) :: what

        real(wp) :: scaled(size(jac, 1), size(jac, 2)), r(size(jac, 2), size(jac, 2)), ones(size(jac, 2))
        real(wp) :: norms(size(jac, 2))
        integer :: j, m

        ! Columns are brought to length 1 first, so that nothing overflows.
        m = size(jac, 1)
        norms = column_norms(jac)
        where (norms == 0.0_wp) norms = 1.0_wp
        norms = norms(answer%ipvt)
        scaled = jac(:, answer%ipvt)
        r = answer%r
        do j = 1, size(norms)
            scaled(:, j) = scaled(:, j)/norms(j)
            r(:, j) = r(:, j)/norms(j)
        end do
        ones = 1.0_wp
        call check_at_most(scaled_difference(matmul(transpose(r), r), matmul(transpose(scaled), scaled), ones), &
                           2.0_wp*m*eps, what//": error of Rᵀ R = Pᵀ Jᵀ J P")
        call check_at_most(greatest(matmul(answer%qtf, r) - matmul(f, scaled)), 2.0_wp*m*eps*norm2(f), &
                           what//": error of Rᵀ qtf = Pᵀ Jᵀ f")
    end subroutine check_normal_equations

    subroutine check_rank_deficient()
        real(wp) :: two_columns(1300, 2), jac(1300, 4), f(1300)
        type(reduction) :: folded

        two_columns = random_matrix(1300, 2)
        jac(:, [2, 4]) = two_columns
        jac(:, 1) = two_columns(:, 1) - two_columns(:, 2)
        jac(:, 3) = 2.0_wp*two_columns(:, 1) + two_columns(:, 2)
        f = random_vector(1300)
        folded = fold(jac, f)
        call check_normal_equations(jac, f, folded, "rank 2")
        call check_at_most(greatest(folded%r(3:, 3:)), 1300*eps*maxval(folded%acnorm), &
                           "rank 2: what R should not have")
    end subroutine check_rank_deficient

    !> Both storage orders, and rows with gaps between them, give the same bits.
    subroutine check_strides()
        integer, parameter :: m = 1300, n = 4
        real(wp) :: jac(m, n), f(m), gaps(n + 1, m)
        type(reduction) :: by_columns

        jac = random_matrix(m, n)
        f = random_vector(m)
        by_columns = fold(jac, f)
        gaps = huge(1.0_wp)
        gaps(:n, :) = transpose(jac)
        call check_same(fold_strided(m, n, pack(transpose(jac), .true.), int(n, long), 1_long, f), by_columns, &
                        "stored by rows")
        call check_same(fold_strided(m, n, pack(gaps, .true.), int(n + 1, long), 1_long, f), by_columns, &
                        "rows with gaps")
    end subroutine check_strides

    subroutine check_same(by_rows, by_columns, what)
        type(reduction), intent(in) :: by_rows, by_columns
        character(*), intent(in) :: what

        call check(all(by_rows%r == by_columns%r), what//": same R")
        call check(all(by_rows%qtf == by_columns%qtf), what//": same qtf")
        call check(all(by_rows%ipvt == by_columns%ipvt), what//": same pivots")
        call check(all(by_rows%acnorm == by_columns%acnorm), what//": same acnorm")
    end subroutine check_same

    !> A NaN shows in the norm of its column, wherever its row is, and not in the columns to the left.
    subroutine check_not_finite()
        real(wp) :: jac(1300, 4), f(1300)
        integer, parameter :: rows(*) = [1, row_block, row_block + 1, 1300]
        type(reduction) :: folded
        integer :: k

        f = random_vector(1300)
        do k = 1, size(rows)
            jac = random_matrix(1300, 4)
            jac(rows(k), 3) = ieee_value(1.0_wp, ieee_quiet_nan)
            folded = fold(jac, f)
            call check(ieee_is_nan(folded%acnorm(3)), "NaN in row "//digits_of(rows(k))//" shows in its column")
            call check(.not. any(ieee_is_nan(folded%acnorm(:2))), "NaN in row "//digits_of(rows(k))//" spares the left")
        end do
    end subroutine check_not_finite

    !> Folding a block into a triangle adds its normal equations to those of the triangle.
    subroutine check_one_block()
        integer, parameter :: n = 4, rows = 9
        real(wp) :: head(n, n + 1), before(n, n + 1), rows_folded(rows, n + 1), block(row_block, n + 1), scale(n + 1)
        real(wp) :: normal(n, n + 1)

        before = 0.0_wp
        before(:, :n) = upper_triangle(random_matrix(n, n))
        before(:, n + 1) = random_vector(n)
        rows_folded = random_matrix(rows, n + 1)
        head = before
        block(:rows, :) = rows_folded
        call fold_block(rows, n, block, head)
        normal = matmul(transpose(before(:, :n)), before) + matmul(transpose(rows_folded(:, :n)), rows_folded)
        scale = sqrt(column_norms(before)**2 + column_norms(rows_folded)**2)
        call check_at_most(scaled_difference(matmul(transpose(head(:, :n)), head), normal, scale), (n + rows)*eps, &
                           "one block: error of Rᵀ [R qtf]")
        call check(all(head(:, :n) == upper_triangle(head(:, :n))), "one block: R stays a triangle")
    end subroutine check_one_block

end program test_row_folding
